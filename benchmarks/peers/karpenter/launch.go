package main

import (
	"fmt"
	"sort"

	"github.com/samber/lo"

	"github.com/aws/karpenter-provider-aws/pkg/providers/instance/filter"
	v1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
	"sigs.k8s.io/karpenter/pkg/controllers/provisioning/scheduling"
	karpsched "sigs.k8s.io/karpenter/pkg/scheduling"
)

// maxLaunchTypes is how many types the AWS provider hands to CreateFleet (pkg/providers/instance).
const maxLaunchTypes = 60

// launch is what the AWS provider would buy for a claim.
//
// The filters are the provider's own, in its order. It then launches reserved before spot before
// on-demand, hands over the cheapest types, and EC2 chooses; that last choice is taken to be the cheapest
// offering, which is kindest.
func launch(claim *scheduling.NodeClaim) (*cloudprovider.InstanceType, *cloudprovider.Offering, error) {
	// ToNodeClaim truncates the claim's own list, and the filters change the offerings they are given.
	kinds := lo.Map(claim.InstanceTypeOptions, func(t *cloudprovider.InstanceType, _ int) *cloudprovider.InstanceType {
		return t.DeepCopy()
	})
	spec := claim.ToNodeClaim().Spec
	requirements := karpsched.NewNodeSelectorRequirementsWithMinValues(spec.Requirements...)
	for _, step := range []filter.Filter{
		filter.CompatibleAvailableFilter(requirements, spec.Resources.Requests),
		filter.CapacityReservationTypeFilter(requirements),
		filter.CapacityBlockFilter(requirements),
		filter.ReservedOfferingFilter(requirements),
		filter.ExoticInstanceTypeFilter(requirements),
		filter.SpotOfferingFilter(requirements),
	} {
		if kinds, _ = step.FilterReject(kinds); len(kinds) == 0 {
			return nil, nil, fmt.Errorf("%s leaves no instance type", step.Name())
		}
	}
	for _, capacityType := range []string{v1.CapacityTypeReserved, v1.CapacityTypeSpot, v1.CapacityTypeOnDemand} {
		if !requirements.Get(v1.CapacityTypeLabelKey).Has(capacityType) {
			continue
		}
		type sold struct {
			kind     *cloudprovider.InstanceType
			offering *cloudprovider.Offering
		}
		var all []sold
		cheapest := cloudprovider.InstanceTypes(kinds).OrderByPrice(requirements)
		for _, kind := range lo.Slice(cheapest, 0, maxLaunchTypes) {
			for _, offering := range kind.Offerings.Available().Compatible(requirements) {
				if offering.CapacityType() == capacityType {
					all = append(all, sold{kind, offering})
				}
			}
		}
		if len(all) == 0 {
			continue
		}
		sort.Slice(all, func(i, j int) bool {
			a, b := all[i], all[j]
			if a.offering.Price != b.offering.Price {
				return a.offering.Price < b.offering.Price
			}
			if a.kind.Name != b.kind.Name {
				return a.kind.Name < b.kind.Name
			}
			return a.offering.Zone() < b.offering.Zone()
		})
		return all[0].kind, all[0].offering, nil
	}
	return nil, nil, fmt.Errorf("no offering is compatible")
}
