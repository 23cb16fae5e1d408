package main

import (
	"context"
	"fmt"
	"math/rand"
	"sort"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"

	v1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
	"sigs.k8s.io/karpenter/pkg/controllers/state"
	"sigs.k8s.io/karpenter/pkg/scheduling"
	nodepoolutils "sigs.k8s.io/karpenter/pkg/utils/nodepool"
)

// Question is everything Karpenter is told. Amounts are Kubernetes quantities.
type Question struct {
	NodePools     []NodePool     `json:"nodePools"`
	InstanceTypes []InstanceType `json:"instanceTypes"`
	Workloads     []Workload     `json:"workloads"`
	DaemonSets    []Workload     `json:"daemonSets"`
	StandingNodes []StandingNode `json:"standingNodes"`
}

// NodePool is the part of a karpenter.sh/v1 NodePool that matters to provisioning.
type NodePool struct {
	Name         string                                    `json:"name"`
	Weight       int32                                     `json:"weight"`
	Labels       map[string]string                         `json:"labels"`
	Requirements []v1.NodeSelectorRequirementWithMinValues `json:"requirements"`
	Taints       []corev1.Taint                            `json:"taints"`
	Limits       corev1.ResourceList                       `json:"limits"`
}

// InstanceType is a hardware shape; Labels has all but zone and capacity type.
type InstanceType struct {
	Name        string              `json:"name"`
	Labels      map[string]string   `json:"labels"`
	Capacity    corev1.ResourceList `json:"capacity"`
	Allocatable corev1.ResourceList `json:"allocatable"`
	Offerings   []Offering          `json:"offerings"`
}

// Offering is an instance type in one zone under one capacity type; the price is in dollars per hour.
type Offering struct {
	Zone         string  `json:"zone"`
	CapacityType string  `json:"capacityType"`
	Price        float64 `json:"price"`
}

// Workload is a number of equal pods.
type Workload struct {
	Name     string            `json:"name"`
	Replicas int               `json:"replicas"`
	Labels   map[string]string `json:"labels"`
	Spec     corev1.PodSpec    `json:"spec"`
}

// StandingNode runs already; Free is what its daemons and pods leave.
type StandingNode struct {
	Name     string              `json:"name"`
	Labels   map[string]string   `json:"labels"`
	Taints   []corev1.Taint      `json:"taints"`
	Capacity corev1.ResourceList `json:"capacity"`
	Free     corev1.ResourceList `json:"free"`
}

// knowLabels registers the labels of the instance types, as each cloud provider does with its own.
func knowLabels(kinds []InstanceType) {
	for _, kind := range kinds {
		for key := range kind.Labels {
			v1.WellKnownLabels.Insert(key)
		}
	}
}

// nodePools come in the order in which the provisioner tries them.
func (q Question) nodePools() []*v1.NodePool {
	var pools []*v1.NodePool
	for _, pool := range q.NodePools {
		pools = append(pools, &v1.NodePool{
			ObjectMeta: metav1.ObjectMeta{Name: pool.Name, UID: types.UID(pool.Name)},
			Spec: v1.NodePoolSpec{
				Weight: &pool.Weight,
				Limits: v1.Limits(pool.Limits),
				Template: v1.NodeClaimTemplate{
					ObjectMeta: v1.ObjectMeta{Labels: pool.Labels},
					Spec: v1.NodeClaimTemplateSpec{
						Requirements: pool.Requirements,
						Taints:       pool.Taints,
						NodeClassRef: &v1.NodeClassReference{Group: "karpenter.k8s.aws", Kind: "EC2NodeClass", Name: "default"},
					},
				},
			},
		})
	}
	nodepoolutils.OrderByWeight(pools)
	return pools
}

// instanceTypes offers everything to every NodePool; the pools' requirements choose.
func (q Question) instanceTypes(pools []*v1.NodePool) map[string][]*cloudprovider.InstanceType {
	keys := sets.New[string]()
	for _, kind := range q.InstanceTypes {
		for key := range kind.Labels {
			keys.Insert(key)
		}
	}
	result := map[string][]*cloudprovider.InstanceType{}
	for _, pool := range pools {
		for _, kind := range q.InstanceTypes {
			result[pool.Name] = append(result[pool.Name], kind.build(sets.List(keys)))
		}
	}
	return result
}

func (t InstanceType) build(keys []string) *cloudprovider.InstanceType {
	requirements := scheduling.NewRequirements()
	for _, key := range keys {
		if value, ok := t.Labels[key]; ok {
			requirements.Add(scheduling.NewRequirement(key, corev1.NodeSelectorOpIn, value))
		} else {
			// A type must speak of every well-known label, or pods that ask for it would match.
			requirements.Add(scheduling.NewRequirement(key, corev1.NodeSelectorOpDoesNotExist))
		}
	}
	zones, capacityTypes := sets.New[string](), sets.New[string]()
	var offerings cloudprovider.Offerings
	for _, offering := range t.Offerings {
		zones.Insert(offering.Zone)
		capacityTypes.Insert(offering.CapacityType)
		offerings = append(offerings, &cloudprovider.Offering{
			Requirements: scheduling.NewRequirements(
				scheduling.NewRequirement(corev1.LabelTopologyZone, corev1.NodeSelectorOpIn, offering.Zone),
				scheduling.NewRequirement(v1.CapacityTypeLabelKey, corev1.NodeSelectorOpIn, offering.CapacityType),
			),
			Price:     offering.Price,
			Available: true,
		})
	}
	requirements.Add(
		scheduling.NewRequirement(corev1.LabelInstanceTypeStable, corev1.NodeSelectorOpIn, t.Name),
		scheduling.NewRequirement(corev1.LabelTopologyZone, corev1.NodeSelectorOpIn, sets.List(zones)...),
		scheduling.NewRequirement(v1.CapacityTypeLabelKey, corev1.NodeSelectorOpIn, sets.List(capacityTypes)...),
	)
	overhead := corev1.ResourceList{}
	for name, capacity := range t.Capacity {
		left := capacity.DeepCopy()
		left.Sub(t.Allocatable[name])
		overhead[name] = left
	}
	return &cloudprovider.InstanceType{
		Name:         t.Name,
		Requirements: requirements,
		Offerings:    offerings,
		Capacity:     t.Capacity,
		Overhead:     &cloudprovider.InstanceTypeOverhead{KubeReserved: overhead},
	}
}

// pods makes one pod a replica, and tells the workload of each by its UID.
//
// Karpenter's queue falls back on age and then on the UID. Seed 0 gives pods the ages of the question's
// order; other seeds create all within one second, with random UIDs, as a burst of deployments does.
func (q Question) pods(seed int64) ([]*corev1.Pod, map[types.UID]int) {
	var pods []*corev1.Pod
	workloadOf := map[types.UID]int{}
	random := rand.New(rand.NewSource(seed))
	epoch := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for index, workload := range q.Workloads {
		for replica := range workload.Replicas {
			uid := types.UID(fmt.Sprintf("%012d", len(pods)))
			created := metav1.NewTime(epoch.Add(time.Duration(len(pods)) * time.Second))
			if seed != 0 {
				uid = types.UID(fmt.Sprintf("%016x-%012d", random.Uint64(), len(pods)))
				created = metav1.NewTime(epoch)
			}
			workloadOf[uid] = index
			pods = append(pods, &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{
					Name:              fmt.Sprintf("%s-%d", workload.Name, replica),
					Namespace:         "default",
					UID:               uid,
					Labels:            workload.Labels,
					CreationTimestamp: created,
				},
				Spec: *workload.Spec.DeepCopy(),
			})
		}
	}
	return pods, workloadOf
}

// daemons are one pod of each DaemonSet, as the cluster state keeps them.
func (q Question) daemons() []*corev1.Pod {
	var daemons []*corev1.Pod
	for _, daemon := range q.DaemonSets {
		daemons = append(daemons, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: daemon.Name, Namespace: "default", UID: types.UID("daemon-" + daemon.Name)},
			Spec:       *daemon.Spec.DeepCopy(),
		})
	}
	return daemons
}

// stateNodes registers the standing nodes with the cluster state. Free is passed as their allocatable, so
// the question must not have DaemonSets for them as well.
func (q Question) stateNodes(ctx context.Context, cluster *state.Cluster) ([]*state.StateNode, error) {
	for _, node := range q.StandingNodes {
		labels := map[string]string{
			corev1.LabelHostname: node.Name, v1.NodeRegisteredLabelKey: "true", v1.NodeInitializedLabelKey: "true",
		}
		for key, value := range node.Labels {
			labels[key] = value
		}
		err := cluster.UpdateNode(ctx, &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: node.Name, Labels: labels},
			Spec:       corev1.NodeSpec{ProviderID: "standing:///" + node.Name, Taints: node.Taints},
			Status:     corev1.NodeStatus{Capacity: node.Capacity, Allocatable: node.Free},
		})
		if err != nil {
			return nil, fmt.Errorf("standing node %s: %w", node.Name, err)
		}
	}
	nodes := cluster.DeepCopyNodes()
	sort.Slice(nodes, func(i, j int) bool { return nodes[i].Name() < nodes[j].Name() })
	return nodes, nil
}
