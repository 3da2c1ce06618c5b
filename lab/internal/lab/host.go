package lab

import (
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// host is HostSystem.
type host struct{ shadow }

func installHost(vc *VC) {
	vc.site.hosts = map[string]*simulator.HostSystem{}
	vc.site.parts = map[types.ManagedObjectReference]*simulator.HostSystem{}
	vc.site.datastores = map[datastoreKey]*simulator.Datastore{}
	vc.redirect("HostSystem", &host{vc.shadow("HostSystem")},
		"EnterMaintenanceMode_Task", "ExitMaintenanceMode_Task", "DisconnectHost_Task", "ReconnectHost_Task", "Destroy_Task", "QueryHostConnectionInfo", "RebootHost_Task", "RetrieveManagedMethodExecuter")
}

// HostNamed returns a host in this vCenter's inventory by its name.
func (vc *VC) HostNamed(name string) *simulator.HostSystem {
	vc.site.mu.Lock()
	defer vc.site.mu.Unlock()
	return vc.site.hosts[name]
}

func (o *host) run(ref types.ManagedObjectReference, id string, f func(h *simulator.HostSystem, j *job) types.BaseMethodFault) (types.ManagedObjectReference, *soap.Fault) {
	h, ok := get[*simulator.HostSystem](o.vc, ref)
	if !ok {
		return ref, fault(&types.ManagedObjectNotFound{Obj: ref})
	}
	return o.vc.run(h, id, h.Name, func(j *job) (types.AnyType, types.BaseMethodFault) {
		j.touch(h)
		return nil, f(h, j)
	}), nil
}

func (vc *VC) hostState(h *simulator.HostSystem) (connected, maintenance bool) {
	vc.read(h, func() {
		connected = h.Runtime.ConnectionState == types.HostSystemConnectionStateConnected
		maintenance = h.Runtime.InMaintenanceMode
	})
	return connected, maintenance
}

// EnterMaintenanceModeTask evacuates a host and puts it into maintenance mode. With DRS fully automated vCenter moves the running
// machines away; otherwise, and where none of the other hosts can take one, the task waits until somebody did, until its timeout,
// or until it is cancelled. Machines that are off move only if that is asked for.
func (o *host) EnterMaintenanceModeTask(req *types.EnterMaintenanceMode_Task) soap.HasFault {
	body := &methods.EnterMaintenanceMode_TaskBody{}
	ref, refused := o.run(req.This, "HostSystem.enterMaintenanceMode", func(h *simulator.HostSystem, j *job) types.BaseMethodFault {
		connected, already := o.vc.hostState(h)
		if !connected {
			return because(new(types.InvalidState), "Host '%s' is not connected.", h.Name)
		}
		if already {
			return because(new(types.InvalidState), "Host '%s' is in maintenance mode.", h.Name)
		}
		if problem := o.vc.evacuate(h, j, time.Duration(req.Timeout)*time.Second, isTrue(req.EvacuatePoweredOffVms)); problem != nil {
			return problem
		}
		o.vc.setMaintenance(h, true)
		return nil
	})
	if body.Fault_ = refused; refused == nil {
		body.Res = &types.EnterMaintenanceMode_TaskResponse{Returnval: ref}
	}
	return body
}

// ExitMaintenanceModeTask ends maintenance mode.
func (o *host) ExitMaintenanceModeTask(req *types.ExitMaintenanceMode_Task) soap.HasFault {
	body := &methods.ExitMaintenanceMode_TaskBody{}
	ref, refused := o.run(req.This, "HostSystem.exitMaintenanceMode", func(h *simulator.HostSystem, j *job) types.BaseMethodFault {
		if _, on := o.vc.hostState(h); !on {
			return because(new(types.InvalidState), "Host '%s' is not in maintenance mode.", h.Name)
		}
		if problem := j.sleep(o.vc.lab.Scenario.Durations.Other); problem != nil {
			return problem
		}
		o.vc.setMaintenance(h, false)
		go o.vc.agents(o.vc.agentsOff(h), true)
		return nil
	})
	if body.Fault_ = refused; refused == nil {
		body.Res = &types.ExitMaintenanceMode_TaskResponse{Returnval: ref}
	}
	return body
}

// setMaintenance begins or ends maintenance mode. A machine that runs on the host then is a violation: whoever let it be there.
func (vc *VC) setMaintenance(h *simulator.HostSystem, begins bool) {
	vc.update(h, types.PropertyChange{Name: "runtime.inMaintenanceMode", Val: begins})
	vc.resync(h)
	vc.nothingRuns(h)
}

// resync adds up the cluster of a host again.
func (vc *VC) resync(h *simulator.HostSystem) {
	vc.site.mu.Lock()
	defer vc.site.mu.Unlock()
	if p := vc.parent(h); p != nil {
		vc.syncCapacity(p)
	}
}

// DisconnectHostTask ends vCenter's connection to a host; its virtual machines run on.
func (o *host) DisconnectHostTask(req *types.DisconnectHost_Task) soap.HasFault {
	body := &methods.DisconnectHost_TaskBody{}
	ref, refused := o.run(req.This, "HostSystem.disconnect", func(h *simulator.HostSystem, _ *job) types.BaseMethodFault {
		if on, _ := o.vc.hostState(h); !on {
			return because(new(types.InvalidState), "Host '%s' is not connected.", h.Name)
		}
		o.vc.setConnection(h, types.HostSystemConnectionStateDisconnected, types.VirtualMachineConnectionStateDisconnected)
		return nil
	})
	if body.Fault_ = refused; refused == nil {
		body.Res = &types.DisconnectHost_TaskResponse{Returnval: ref}
	}
	return body
}

// ReconnectHostTask restores the connection to a host.
func (o *host) ReconnectHostTask(req *types.ReconnectHost_Task) soap.HasFault {
	body := &methods.ReconnectHost_TaskBody{}
	ref, refused := o.run(req.This, "HostSystem.reconnect", func(h *simulator.HostSystem, _ *job) types.BaseMethodFault {
		if on, _ := o.vc.hostState(h); on {
			return because(new(types.InvalidState), "Host '%s' is connected.", h.Name)
		}
		if o.vc.lab.servers[h.Name].isDead() {
			return because(&types.NoHost{Name: h.Name}, "No host answers at '%s'.", h.Name)
		}
		if req.CnxSpec != nil && req.CnxSpec.UserName != "" {
			spec := *req.CnxSpec
			spec.HostName = h.Name
			if spec.SslThumbprint == "" {
				spec.SslThumbprint = o.vc.lab.servers[h.Name].cert.SHA1
			}
			if _, problem := o.vc.connect(&spec); problem != nil {
				return problem
			}
		}
		o.vc.setConnection(h, types.HostSystemConnectionStateConnected, types.VirtualMachineConnectionStateConnected)
		o.vc.lab.storageChanged(h.Name)
		return nil
	})
	if body.Fault_ = refused; refused == nil {
		body.Res = &types.ReconnectHost_TaskResponse{Returnval: ref}
	}
	return body
}

func (vc *VC) setConnection(h *simulator.HostSystem, hs types.HostSystemConnectionState, vms types.VirtualMachineConnectionState) {
	var refs []types.ManagedObjectReference
	vc.update(h, types.PropertyChange{Name: "runtime.connectionState", Val: hs})
	vc.read(h, func() { refs = h.Vm })
	for _, r := range refs {
		if vm, ok := get[*simulator.VirtualMachine](vc, r); ok && !vc.orphan(vm) {
			vc.update(vm, types.PropertyChange{Name: "runtime.connectionState", Val: vms}, types.PropertyChange{Name: "summary.runtime.connectionState", Val: vms})
		}
	}
	vc.resync(h)
}

// QueryHostConnectionInfo describes a host of the inventory.
func (o *host) QueryHostConnectionInfo(req *types.QueryHostConnectionInfo) soap.HasFault {
	body := &methods.QueryHostConnectionInfoBody{}
	h, ok := get[*simulator.HostSystem](o.vc, req.This)
	if !ok {
		body.Fault_ = fault(&types.ManagedObjectNotFound{Obj: req.This})
		return body
	}
	info := types.HostConnectInfo{ServerIp: "127.0.0.1", InDasCluster: types.NewBool(false)}
	o.vc.read(h, func() {
		info.Host = h.Summary
		info.Host.Runtime = nil
	})
	body.Res = &types.QueryHostConnectionInfoResponse{Returnval: info}
	return body
}

// removable refuses the removal of a host that runs connected and not in maintenance mode, as vSphere does, and of one with
// virtual machines: vSphere would take these out of the inventory along with the host, the lab does not.
func (vc *VC) removable(h *simulator.HostSystem) types.BaseMethodFault {
	connected, maintenance := vc.hostState(h)
	n, inCluster := 0, false
	vc.read(h, func() { n, inCluster = len(h.Vm), h.Parent.Type == "ClusterComputeResource" })
	switch {
	case connected && !maintenance && inCluster:
		return because(new(types.InvalidState), "Host '%s' has to be in maintenance mode, or disconnected.", h.Name)
	case n > 0:
		return because(&types.ResourceInUse{Type: "HostSystem", Name: h.Name}, "%d virtual machines are registered on it.", n)
	}
	return nil
}

// DestroyTask removes a host from the inventory.
func (o *host) DestroyTask(req *types.Destroy_Task) soap.HasFault {
	body := &methods.Destroy_TaskBody{}
	ref, refused := o.run(req.This, "HostSystem.destroy", func(h *simulator.HostSystem, _ *job) types.BaseMethodFault {
		if problem := o.vc.removable(h); problem != nil {
			return problem
		}
		o.vc.removeHost(h)
		return nil
	})
	if body.Fault_ = refused; refused == nil {
		body.Res = &types.Destroy_TaskResponse{Returnval: ref}
	}
	return body
}

// removeHost takes a host out of the inventory; the server keeps its network configuration and its mounts.
func (vc *VC) removeHost(h *simulator.HostSystem) {
	vc.leaveSwitches(h)
	vc.leaveClusters(h.Self)
	vc.site.mu.Lock()
	defer vc.site.mu.Unlock()
	dc, parent := vc.datacenterOf(h.Self), vc.parent(h)
	var network *types.HostNetworkInfo
	vc.read(h, func() { network = h.Config.Network })
	ctx := vc.newCtx()
	switch p := parent.(type) {
	case *simulator.ClusterComputeResource:
		ctx.WithLock(p, func() { ctx.Update(p, []types.PropertyChange{{Name: "host", Val: without(p.Host, h.Self)}}) })
	case *mo.ComputeResource:
		ctx.WithLock(p, func() { ctx.Update(p, []types.PropertyChange{{Name: "host", Val: without(p.Host, h.Self)}}) })
	}
	delete(vc.site.hosts, h.Name)
	for key, ds := range vc.site.datastores {
		if key.datacenter == dc.Self {
			vc.mountedBy(key, ds, h.Self, types.DatastoreHostMount{}, false)
		}
	}
	vc.forgetNetworks(dc, h)
	for _, ref := range vc.partsOf(h) {
		delete(vc.site.parts, ref)
		vc.Map().Remove(vc.newCtx(), ref)
	}
	vc.Map().Remove(vc.newCtx(), h.Self)
	vc.syncCapacity(parent)
	vc.syncParents(dc)
	vc.lab.servers[h.Name].release(network)
}
