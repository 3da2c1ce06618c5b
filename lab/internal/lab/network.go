package lab

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// networkNamed returns the standard network of that name in a datacenter.
func (vc *VC) networkNamed(dc *simulator.Datacenter, name string) (types.ManagedObjectReference, bool) {
	var refs []types.ManagedObjectReference
	vc.newCtx().WithLock(dc, func() { refs = append(refs, dc.Network...) })
	return vc.standardNetwork(refs, name)
}

func (vc *VC) standardNetwork(refs []types.ManagedObjectReference, name string) (types.ManagedObjectReference, bool) {
	for _, r := range refs {
		if n, ok := vc.Map().Get(r).(*mo.Network); ok && vc.entityName(n) == name {
			return r, true
		}
	}
	return types.ManagedObjectReference{}, false
}

// networkFor finds the network of a NIC's backing on a host: a standard one by its name, a distributed one by the key of its
// port group. A NIC whose network the host does not have gets CannotAccessNetwork.
func (vc *VC) networkFor(host *simulator.HostSystem, label string, b types.BaseVirtualDeviceBackingInfo) (types.ManagedObjectReference, types.BaseMethodFault) {
	var refs []types.ManagedObjectReference
	vc.newCtx().WithLock(host, func() { refs = append(refs, host.Network...) })
	refused := func(name string) (types.ManagedObjectReference, types.BaseMethodFault) {
		return types.ManagedObjectReference{}, because(&types.CannotAccessNetwork{
			CannotAccessVmDevice: types.CannotAccessVmDevice{Device: label, Backing: name, Connected: true},
		}, "Host '%s' has no such network.", vc.entityName(host))
	}
	switch x := b.(type) {
	case *types.VirtualEthernetCardNetworkBackingInfo:
		if r, ok := vc.standardNetwork(refs, x.DeviceName); ok {
			return r, nil
		}
		return refused(x.DeviceName)
	case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
		for _, r := range refs {
			pg, ok := vc.Map().Get(r).(*simulator.DistributedVirtualPortgroup)
			if ok && pg.Key == x.Port.PortgroupKey {
				return r, nil
			}
		}
		return refused(x.Port.PortgroupKey)
	}
	return types.ManagedObjectReference{}, &types.InvalidDeviceBacking{}
}
