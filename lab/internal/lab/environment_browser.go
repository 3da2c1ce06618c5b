package lab

import (
	"fmt"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// browser is EnvironmentBrowser: what virtual machines on a cluster or host can have.
type browser struct{ shadow }

func installEnvironmentBrowser(vc *VC) {
	vc.redirect("EnvironmentBrowser", &browser{vc.shadow("EnvironmentBrowser")}, "QueryConfigOptionDescriptor", "QueryConfigTarget")
}

// newBrowser makes the environment browser of a compute resource.
func (vc *VC) newBrowser() *types.ManagedObjectReference {
	b := &simulator.EnvironmentBrowser{}
	vc.Map().Put(b)
	return pointer(b.Self)
}

// browsed are the hosts of the compute resource that an environment browser belongs to.
func (vc *VC) browsed(ref types.ManagedObjectReference) []*simulator.HostSystem {
	var out []*simulator.HostSystem
	for _, h := range all[*simulator.HostSystem](vc, "HostSystem") {
		match := false
		switch p := vc.parent(h).(type) {
		case *simulator.ClusterComputeResource:
			match = p.EnvironmentBrowser != nil && *p.EnvironmentBrowser == ref
		case *mo.ComputeResource:
			match = p.EnvironmentBrowser != nil && *p.EnvironmentBrowser == ref
		}
		if match {
			out = append(out, h)
		}
	}
	return out
}

// QueryConfigOptionDescriptor lists the versions of virtual hardware with the hosts that run them. The simulator's own table ends
// before ESXi 7.0.3.
func (o *browser) QueryConfigOptionDescriptor(req *types.QueryConfigOptionDescriptor) soap.HasFault {
	const oldest = 4
	hosts := map[int][]types.ManagedObjectReference{}
	newest, common := 0, 0
	for _, h := range o.vc.browsed(req.This) {
		top := scenario.MaxHardware(o.vc.lab.servers[h.Name].image().version)
		newest = max(newest, top)
		if common == 0 || top < common {
			common = top
		}
		for v := oldest; v <= top; v++ {
			hosts[v] = append(hosts[v], h.Self)
		}
	}
	res := new(types.QueryConfigOptionDescriptorResponse)
	for v := oldest; v <= newest; v++ {
		if v == 5 || v == 6 || v == 12 || v == 16 {
			continue // never were
		}
		key := fmt.Sprintf("vmx-%02d", v)
		res.Returnval = append(res.Returnval, types.VirtualMachineConfigOptionDescriptor{
			Key: key, Description: key, Host: hosts[v], CreateSupported: true, RunSupported: true, UpgradeSupported: true, DefaultConfigOption: v == common,
		})
	}
	return &methods.QueryConfigOptionDescriptorBody{Res: res}
}

// QueryConfigTarget lists what is there to be used: processors, datastores and networks.
func (o *browser) QueryConfigTarget(req *types.QueryConfigTarget) soap.HasFault {
	vc := o.vc
	hosts := vc.browsed(req.This)
	if req.Host != nil {
		hosts = slices.DeleteFunc(hosts, func(h *simulator.HostSystem) bool { return h.Self != *req.Host })
	}
	t := &types.ConfigTarget{}
	seen := map[types.ManagedObjectReference]bool{}
	for _, h := range hosts {
		var refs []types.ManagedObjectReference
		vc.read(h, func() {
			t.NumCpus, t.NumCpuCores = t.NumCpus+int32(h.Summary.Hardware.NumCpuPkgs), t.NumCpuCores+int32(h.Summary.Hardware.NumCpuCores)
			t.NumNumaNodes++
			refs = append(slices.Clone(h.Datastore), h.Network...)
		})
		for _, r := range refs {
			if !seen[r] {
				seen[r] = true
				vc.addTarget(t, r)
			}
		}
	}
	return &methods.QueryConfigTargetBody{Res: &types.QueryConfigTargetResponse{Returnval: t}}
}

func (vc *VC) addTarget(t *types.ConfigTarget, ref types.ManagedObjectReference) {
	switch x := vc.Map().Get(ref).(type) {
	case *simulator.Datastore:
		vc.read(x, func() {
			s := x.Summary
			s.Url = vc.lab.publicURL(s.Url)
			t.Datastore = append(t.Datastore, types.VirtualMachineDatastoreInfo{
				VirtualMachineTargetInfo: types.VirtualMachineTargetInfo{Name: x.Name}, Datastore: s, Capability: x.Capability,
				Mode: string(types.HostMountModeReadWrite), VStorageSupport: string(types.FileSystemMountInfoVStorageSupportStatusVStorageSupported),
			})
		})
	case *mo.Network:
		vc.read(x, func() {
			t.Network = append(t.Network, types.VirtualMachineNetworkInfo{VirtualMachineTargetInfo: types.VirtualMachineTargetInfo{Name: x.Name}, Network: x.Summary})
		})
	case *simulator.DistributedVirtualPortgroup:
		i := types.DistributedVirtualPortgroupInfo{Portgroup: ref, NetworkReservationSupported: types.NewBool(false)}
		var up types.ManagedObjectReference
		vc.read(x, func() {
			i.PortgroupName, i.PortgroupKey, i.PortgroupType, i.UplinkPortgroup = x.Name, x.Key, x.Config.Type, isTrue(x.Config.Uplink)
			up = *x.Config.DistributedVirtualSwitch
		})
		if s, ok := get[*distributedSwitch](vc, up); ok {
			vc.read(s, func() { i.SwitchName, i.SwitchUuid = s.Name, s.Uuid })
		}
		t.DistributedVirtualPortgroup = append(t.DistributedVirtualPortgroup, i)
	}
}
