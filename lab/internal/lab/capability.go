package lab

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// installCapability says what a vCenter of the scenario's version can do: the EVC modes that it knows.
func installCapability(vc *VC) {
	si, _ := get[*simulator.ServiceInstance](vc, types.ManagedObjectReference{Type: "ServiceInstance", Value: "ServiceInstance"})
	vc.read(si, func() { si.Capability.SupportedEVCMode = vc.supportedEVC() })
}
