package lab

import (
	"fmt"

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
		top := scenario.MaxHardware(o.vc.lab.servers[h.Name].spec.Version)
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
func (o *browser) QueryConfigTarget(ctx *simulator.Context, req *types.QueryConfigTarget) soap.HasFault {
	b, ok := get[*simulator.EnvironmentBrowser](o.vc, req.This)
	if !ok {
		return &methods.QueryConfigTargetBody{Fault_: fault(&types.ManagedObjectNotFound{Obj: req.This})}
	}
	answer := b.QueryConfigTarget(ctx, req)
	if body, ok := answer.(*methods.QueryConfigTargetBody); ok && body.Res != nil && body.Res.Returnval != nil {
		t := *body.Res.Returnval
		t.Datastore = append([]types.VirtualMachineDatastoreInfo(nil), t.Datastore...)
		for i := range t.Datastore {
			t.Datastore[i].Datastore.Url = o.vc.lab.publicURL(t.Datastore[i].Datastore.Url)
		}
		body.Res.Returnval = &t
	}
	return answer
}
