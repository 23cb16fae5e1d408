// Command expander-client asks a gRPC expander as Cluster Autoscaler does (expander/grpcplugin/grpc_client.go).
//
// It takes a question as JSON on standard input: options with a node group, a number of nodes, and the names
// of a template Node and of Pods. These are read from the API server in protobuf, by the client library and the
// types that the autoscaler uses, and written into the message by their own Marshal. The answer goes to
// standard output as JSON. As in the autoscaler, an error or an answer that names no known group is no
// choice: all options stay, for the next expander of its list.
package main

//go:generate python -m grpc_tools.protoc -I ../../../../proto --go_out=. --go-grpc_out=. --go_opt=module=binwright.dev/interop/expander-client --go-grpc_opt=module=binwright.dev/interop/expander-client --go_opt=Mbinwright/vendor/autoscaler/expander.proto=binwright.dev/interop/expander-client/grpcplugin --go-grpc_opt=Mbinwright/vendor/autoscaler/expander.proto=binwright.dev/interop/expander-client/grpcplugin binwright/vendor/autoscaler/expander.proto

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"binwright.dev/interop/expander-client/grpcplugin"
)

// Cluster Autoscaler's own, in grpc_client.go.
const timeout = 5 * time.Second

// Option is growing one node group; node and pods are names in the cluster.
type Option struct {
	NodeGroup string   `json:"nodeGroup"`
	NodeCount int32    `json:"nodeCount"`
	Node      string   `json:"node"`
	Pods      []string `json:"pods"`
}

// Answer is what the autoscaler would go on with.
type Answer struct {
	// Chosen says whether the expander made a choice; if not, Kept has every option.
	Chosen       bool     `json:"chosen"`
	Kept         []string `json:"kept"`
	Debug        []string `json:"debug"`
	Error        string   `json:"error"`
	Milliseconds int64    `json:"milliseconds"`
	Bytes        int      `json:"bytes"`
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "credentials of the cluster")
	url := flag.String("grpc-expander-url", "", "address of the expander")
	cert := flag.String("grpc-expander-cert", "", "certificate of its authority")
	form := flag.String("form", "new", "message form: old (to 1.33), both (1.34) or new (from 1.35)")
	flag.Parse()
	answer, err := run(*kubeconfig, *url, *cert, *form)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(answer)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "expander-client:", err)
		os.Exit(1)
	}
}

func run(kubeconfig, url, cert, form string) (*Answer, error) {
	var options []Option
	decoder := json.NewDecoder(os.Stdin)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&options); err != nil {
		return nil, fmt.Errorf("reading the question: %w", err)
	}
	request, err := question(kubeconfig, options, form)
	if err != nil {
		return nil, err
	}
	transport, err := credentials.NewClientTLSFromFile(cert, "")
	if err != nil {
		return nil, err
	}
	connection, err := grpc.NewClient(url, grpc.WithTransportCredentials(transport))
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	return ask(grpcplugin.NewExpanderClient(connection), request, options), nil
}

func question(kubeconfig string, options []Option, form string) (*grpcplugin.BestOptionsRequest, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.ContentType = runtime.ContentTypeProtobuf
	cluster, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	isOld, isNew := form == "old" || form == "both", form == "new" || form == "both"
	if !isOld && !isNew {
		return nil, fmt.Errorf("no form %q", form)
	}
	ctx := context.Background()
	request := &grpcplugin.BestOptionsRequest{NodeMap: map[string][]byte{}, NodeBytesMap: map[string][]byte{}}
	for _, option := range options {
		node, err := cluster.CoreV1().Nodes().Get(ctx, option.Node, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		written, err := node.Marshal()
		if err != nil {
			return nil, err
		}
		if isOld {
			request.NodeMap[option.NodeGroup] = written
		}
		if isNew {
			request.NodeBytesMap[option.NodeGroup] = written
		}
		asked := &grpcplugin.Option{
			NodeGroupId: option.NodeGroup, NodeCount: option.NodeCount, Debug: option.NodeGroup,
		}
		for _, name := range option.Pods {
			pod, err := cluster.CoreV1().Pods(metav1.NamespaceDefault).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return nil, err
			}
			written, err := pod.Marshal()
			if err != nil {
				return nil, err
			}
			if isOld {
				asked.Pod = append(asked.Pod, written)
			}
			if isNew {
				asked.PodBytes = append(asked.PodBytes, written)
			}
		}
		request.Options = append(request.Options, asked)
	}
	return request, nil
}

func ask(expander grpcplugin.ExpanderClient, request *grpcplugin.BestOptionsRequest, options []Option) *Answer {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	began := time.Now()
	response, err := expander.BestOptions(ctx, request)
	answer := &Answer{Milliseconds: time.Since(began).Milliseconds()}
	known := map[string]bool{}
	for _, option := range options {
		known[option.NodeGroup] = true
	}
	for _, option := range request.Options {
		for _, pod := range append(append([][]byte{}, option.Pod...), option.PodBytes...) {
			answer.Bytes += len(pod)
		}
	}
	if err != nil {
		answer.Error = err.Error()
	}
	for _, option := range response.GetOptions() {
		if known[option.NodeGroupId] {
			answer.Chosen = true
			answer.Kept = append(answer.Kept, option.NodeGroupId)
			answer.Debug = append(answer.Debug, option.Debug)
		}
	}
	if !answer.Chosen {
		for _, option := range options {
			answer.Kept = append(answer.Kept, option.NodeGroup)
		}
	}
	return answer
}
