package lab

import (
	"os"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// assemble makes the managed object of a VM from its configuration. It is powered off, and in no inventory yet.
func (vc *VC) assemble(c *types.VirtualMachineConfigInfo, host types.ManagedObjectReference, pool *types.ManagedObjectReference) *simulator.VirtualMachine {
	vm := &simulator.VirtualMachine{}
	vm.Config = c
	vm.Name = c.Name
	vm.ResourcePool = pool
	vm.Runtime = types.VirtualMachineRuntimeInfo{
		Host: &host, ConnectionState: types.VirtualMachineConnectionStateConnected, PowerState: types.VirtualMachinePowerStatePoweredOff,
		FaultToleranceState: types.VirtualMachineFaultToleranceStateNotConfigured, RecordReplayState: types.VirtualMachineRecordReplayStateInactive,
		MaxCpuUsage: c.Hardware.NumCPU * 2600, MaxMemoryUsage: c.Hardware.MemoryMB, CleanPowerOff: types.NewBool(true),
	}
	vm.Capability = types.VirtualMachineCapability{
		SnapshotOperationsSupported: true, MultipleSnapshotsSupported: true, SnapshotConfigSupported: true, PoweredOffSnapshotsSupported: true,
		MemorySnapshotsSupported: true, RevertToSnapshotSupported: true, QuiescedSnapshotsSupported: true,
		CpuFeatureMaskSupported: true, S1AcpiManagementSupported: true,
		VmNpivWwnSupported: true, NpivWwnOnNonRdmVmSupported: true,
		SwapPlacementSupported: true, ToolsSyncTimeSupported: true, VirtualMmuUsageSupported: true, DiskSharesSupported: true, BootOptionsSupported: true,
		ChangeTrackingSupported: true, HostBasedReplicationSupported: true,
	}
	vm.OverallStatus, vm.Summary.OverallStatus, vm.ConfigStatus = types.ManagedEntityStatusGreen, types.ManagedEntityStatusGreen, types.ManagedEntityStatusGreen
	vm.GuestHeartbeatStatus = types.ManagedEntityStatusGray
	vm.EnvironmentBrowser = vc.browserFor(host)
	vm.DataSets = map[string]*simulator.DataSet{}
	rs := types.DefaultResourceConfigSpec()
	rs.CpuAllocation, rs.MemoryAllocation = *c.CpuAllocation, *c.MemoryAllocation
	vm.ResourceConfig = &rs
	return vm
}

// browserFor is the environment browser of a host.
func (vc *VC) browserFor(host types.ManagedObjectReference) types.ManagedObjectReference {
	if r := vc.computeResource(host); r != nil && r.EnvironmentBrowser != nil {
		return *r.EnvironmentBrowser
	}
	return types.ManagedObjectReference{}
}

// computeResource is the cluster, or the compute resource of its own, that a host or a pool belongs to.
func (vc *VC) computeResource(ref types.ManagedObjectReference) *mo.ComputeResource {
	for {
		switch x := vc.Map().Get(ref).(type) {
		case *simulator.ClusterComputeResource:
			return &x.ComputeResource
		case *mo.ComputeResource:
			return x
		case mo.Entity:
			var parent *types.ManagedObjectReference
			vc.newCtx().WithLock(x, func() { parent = x.Entity().Parent })
			if parent == nil {
				return nil
			}
			ref = *parent
		default:
			return nil
		}
	}
}

// members are the lists of VMs that hosts, pools, datastores and networks keep.
func members(o mo.Reference) *[]types.ManagedObjectReference {
	switch x := o.(type) {
	case *simulator.HostSystem:
		return &x.Vm
	case *simulator.ResourcePool:
		return &x.Vm
	case *simulator.VirtualApp:
		return &x.Vm
	case *simulator.Datastore:
		return &x.Vm
	case *mo.Network:
		return &x.Vm
	case *simulator.DistributedVirtualPortgroup:
		return &x.Vm
	}
	return nil
}

// link puts a VM into, or takes it out of, the list of a parent.
func (vc *VC) link(parent, vm types.ManagedObjectReference, in bool) {
	o := vc.Map().Get(parent)
	if o == nil || members(o) == nil {
		return
	}
	ctx := vc.newCtx()
	ctx.WithLock(o, func() {
		list := slices.DeleteFunc(slices.Clone(*members(o)), func(r types.ManagedObjectReference) bool { return r == vm })
		if in {
			list = append(list, vm)
		}
		ctx.Update(o, []types.PropertyChange{{Name: "vm", Val: list}})
	})
}

// parents are the hosts, pools, datastores and networks that have a VM in their lists.
func parents(vm *simulator.VirtualMachine) []types.ManagedObjectReference {
	out := slices.Concat(vm.Datastore, vm.Network)
	if vm.Runtime.Host != nil {
		out = append(out, *vm.Runtime.Host)
	}
	if vm.ResourcePool != nil {
		out = append(out, *vm.ResourcePool)
	}
	return out
}

// relink brings the lists of parents up to date after a VM's own references changed.
func (vc *VC) relink(vm types.ManagedObjectReference, before, after []types.ManagedObjectReference) {
	for _, r := range before {
		if !slices.Contains(after, r) {
			vc.link(r, vm, false)
		}
	}
	for _, r := range after {
		if !slices.Contains(before, r) {
			vc.link(r, vm, true)
		}
	}
}

// adopt puts a VM into the inventory, in a folder. The machine's files are where at says.
func (vc *VC) adopt(vm *simulator.VirtualMachine, folder *simulator.Folder, at place, location string, g guest) *machine {
	vm.Parent = &folder.Self
	vm.Self = types.ManagedObjectReference{}
	vc.Map().NewEntity(vm)
	self := vm.Self
	vm.Summary.Vm = &self
	m := &machine{vc: vc, self: self, at: at, location: location, guest: g}
	ctx := vc.newCtx()
	vm.AvailableField = vc.fields("VirtualMachine")
	vc.derive(vm.Config, vc.datacenterOf(folder.Self), *vm.Runtime.Host).apply(vm)
	report(vm, g, false)
	s := &vc.machines
	s.mu.Lock()
	if s.byRef == nil {
		s.byRef = map[types.ManagedObjectReference]*machine{}
	}
	s.byRef[self] = m
	s.mu.Unlock()
	ctx.WithLock(folder, func() {
		// As in the simulator the folder comes first, so that container views notice the new object.
		ctx.Update(folder, []types.PropertyChange{{Name: "childEntity", Val: append(slices.Clone(folder.ChildEntity), self)}})
		vc.Map().Put(vm)
	})
	vc.relink(self, nil, parents(vm))
	vc.lab.ledger.Register(vc.Spec.Name, at.String(), vm.Config.InstanceUuid, vm.Name)
	return m
}

// drop takes a VM out of the inventory; its files stay.
func (vc *VC) drop(m *machine) {
	vm := m.vm()
	if vm == nil {
		return
	}
	var before, snapshots []types.ManagedObjectReference
	var parent types.ManagedObjectReference
	m.read(func(vm *simulator.VirtualMachine) {
		before, parent = parents(vm), *vm.Parent
		snapshots = snapshotRefs(vm.Snapshot)
	})
	vc.relink(m.self, before, nil)
	if f, ok := vc.Map().Get(parent).(*simulator.Folder); ok {
		ctx := vc.newCtx()
		ctx.WithLock(f, func() {
			list := slices.DeleteFunc(slices.Clone(f.ChildEntity), func(r types.ManagedObjectReference) bool { return r == m.self })
			ctx.Update(f, []types.PropertyChange{{Name: "childEntity", Val: list}})
		})
	}
	vc.machines.mu.Lock()
	delete(vc.machines.byRef, m.self)
	delete(vc.machines.homes, m.place())
	vc.machines.mu.Unlock()
	for _, s := range snapshots {
		vc.Map().Remove(vc.newCtx(), s)
	}
	vc.Map().Remove(vc.newCtx(), m.self)
	vc.departed(m.self)
	at := m.place()
	_, err := os.Stat(vc.lab.on(at))
	vc.lab.ledger.Unregister(vc.Spec.Name, at.String(), err == nil)
}
