package main

import (
	"sort"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"sigs.k8s.io/karpenter/pkg/controllers/provisioning/scheduling"
)

// Answer is what Karpenter would launch.
type Answer struct {
	NodeClaims []NodeClaim  `json:"nodeClaims"`
	Standing   []Placed     `json:"standing"`
	Unplaced   []PodsFailed `json:"unplaced"`
	Seconds    float64      `json:"seconds"`
	TimedOut   bool         `json:"timedOut"`
}

// NodeClaim is a node to launch: what is bought for it, its pods, and how many types could have been.
type NodeClaim struct {
	NodePool     string      `json:"nodePool"`
	InstanceType string      `json:"instanceType"`
	Zone         string      `json:"zone"`
	CapacityType string      `json:"capacityType"`
	Price        float64     `json:"price"`
	Survivors    int         `json:"survivors"`
	Pods         []PodsOfOne `json:"pods"`
	Error        string      `json:"error,omitempty"`
}

// PodsOfOne counts the pods of one workload, by its index in the question.
type PodsOfOne struct {
	Workload int `json:"workload"`
	Count    int `json:"count"`
}

// Placed are the pods on a standing node.
type Placed struct {
	Node string      `json:"node"`
	Pods []PodsOfOne `json:"pods"`
}

// PodsFailed are pods of one workload that were left out, with the error of one of them.
type PodsFailed struct {
	PodsOfOne
	Error string `json:"error"`
}

func newAnswer(results scheduling.Results, workloadOf map[types.UID]int) Answer {
	answer := Answer{NodeClaims: []NodeClaim{}, Standing: []Placed{}, Unplaced: []PodsFailed{}}
	for _, claim := range results.NewNodeClaims {
		out := NodeClaim{
			NodePool:  claim.NodePoolName,
			Survivors: len(claim.InstanceTypeOptions),
			Pods:      counted(claim.Pods, workloadOf),
		}
		if kind, offering, err := launch(claim); err != nil {
			out.Error = err.Error()
		} else {
			out.InstanceType, out.Zone = kind.Name, offering.Zone()
			out.CapacityType, out.Price = offering.CapacityType(), offering.Price
		}
		answer.NodeClaims = append(answer.NodeClaims, out)
	}
	for _, node := range results.ExistingNodes {
		if len(node.Pods) > 0 {
			answer.Standing = append(answer.Standing, Placed{node.Name(), counted(node.Pods, workloadOf)})
		}
	}
	failed := map[int]*PodsFailed{}
	for pod, err := range results.PodErrors {
		index := workloadOf[pod.UID]
		if failed[index] == nil {
			failed[index] = &PodsFailed{PodsOfOne{Workload: index}, err.Error()}
		}
		failed[index].Count++
	}
	for _, one := range failed {
		answer.Unplaced = append(answer.Unplaced, *one)
	}
	sort.Slice(answer.Unplaced, func(i, j int) bool { return answer.Unplaced[i].Workload < answer.Unplaced[j].Workload })
	return answer
}

func counted(pods []*corev1.Pod, workloadOf map[types.UID]int) []PodsOfOne {
	counts := map[int]int{}
	for _, pod := range pods {
		counts[workloadOf[pod.UID]]++
	}
	result := make([]PodsOfOne, 0, len(counts))
	for workload, count := range counts {
		result = append(result, PodsOfOne{workload, count})
	}
	sort.Slice(result, func(i, j int) bool { return result[i].Workload < result[j].Workload })
	return result
}
