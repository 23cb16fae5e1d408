// Command karpenter-peer answers one provisioning question with the real Karpenter scheduler.
//
// It reads a question as JSON (question.go) on standard input: NodePools, instance types with their
// offerings, pods, daemons and standing nodes. The pods go through one run of the provisioning scheduler,
// as in provisioner.Schedule, and every NodeClaim that comes out through the launch filters of the AWS
// provider (launch.go). The answer (answer.go) goes to standard output as JSON.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"sigs.k8s.io/karpenter/pkg/controllers/provisioning/scheduling"
	"sigs.k8s.io/karpenter/pkg/controllers/state"
	"sigs.k8s.io/karpenter/pkg/events"
	"sigs.k8s.io/karpenter/pkg/operator/injection"
	"sigs.k8s.io/karpenter/pkg/operator/options"
)

func main() {
	seed := flag.Int64("seed", 0, "order of pods that the queue cannot tell apart; 0 is the order of the question")
	timeout := flag.Duration("timeout", time.Minute, "of the scheduling run; Karpenter's own is one minute")
	flag.Parse()
	log.SetLogger(logr.Discard())
	if err := run(*seed, *timeout); err != nil {
		fmt.Fprintln(os.Stderr, "karpenter-peer:", err)
		os.Exit(1)
	}
}

func run(seed int64, timeout time.Duration) error {
	var question Question
	decoder := json.NewDecoder(os.Stdin)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&question); err != nil {
		return fmt.Errorf("reading the question: %w", err)
	}
	answer, err := solve(question, seed, timeout)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(answer)
}

func solve(question Question, seed int64, timeout time.Duration) (Answer, error) {
	ctx := options.ToContext(
		injection.WithControllerName(context.Background(), "provisioner"),
		&options.Options{
			PreferencePolicy:  options.PreferencePolicyRespect,
			MinValuesPolicy:   options.MinValuesPolicyStrict,
			IgnoreDRARequests: true,
			FeatureGates:      options.DefaultFeatureGates(),
		},
	)
	knowLabels(question.InstanceTypes)
	nodePools := question.nodePools()
	instanceTypes := question.instanceTypes(nodePools)
	pods, workloadOf := question.pods(seed)
	api := fake.NewClientBuilder().WithIndex(&corev1.Pod{}, "spec.nodeName", func(o client.Object) []string {
		return []string{o.(*corev1.Pod).Spec.NodeName}
	}).Build()
	cluster := state.NewCluster(clock.RealClock{}, api, nil)
	stateNodes, err := question.stateNodes(ctx, cluster)
	if err != nil {
		return Answer{}, err
	}
	// The options of provisioner.Schedule at the default CPU request of one core.
	opts := []scheduling.Options{
		scheduling.DisableReservedCapacityFallback,
		scheduling.NumConcurrentReconciles(1),
		scheduling.MinValuesPolicy(options.MinValuesPolicyStrict),
	}
	started := time.Now()
	topology, err := scheduling.NewTopology(ctx, api, cluster, stateNodes, nodePools, instanceTypes, pods, opts...)
	if err != nil {
		return Answer{}, fmt.Errorf("topology: %w", err)
	}
	scheduler := scheduling.NewScheduler(
		ctx, api, nodePools, cluster, stateNodes, topology, instanceTypes, question.daemons(),
		events.NewRecorder(&record.FakeRecorder{}), clock.RealClock{}, nil, nil, opts...,
	)
	deadline, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	results, err := scheduler.Solve(deadline, pods)
	if err != nil && deadline.Err() == nil {
		return Answer{}, fmt.Errorf("scheduling: %w", err)
	}
	results = results.TruncateInstanceTypes(ctx, scheduling.MaxInstanceTypes)
	answer := newAnswer(results, workloadOf)
	answer.Seconds = time.Since(started).Seconds()
	answer.TimedOut = deadline.Err() != nil
	return answer, nil
}
