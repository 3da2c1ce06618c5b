package lab

import (
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// vApps: pools whose VMs are in no folder. As at vCenter such a VM has parentVApp and no parent.

// vApp returns the vApp of that name in the VM's pool, a new one if there is none.
func (vc *VC) vApp(m *machine, name string) *simulator.VirtualApp {
	var ref types.ManagedObjectReference
	m.read(func(vm *simulator.VirtualMachine) { ref = *vm.ResourcePool })
	pool, _ := get[*simulator.ResourcePool](vc, ref)
	var refs []types.ManagedObjectReference
	vc.read(pool, func() { refs = pool.ResourcePool.ResourcePool })
	if a, ok := vc.named(name, refs).(*simulator.VirtualApp); ok {
		return a
	}
	a := &simulator.VirtualApp{}
	a.ResourcePool = simulator.NewResourcePool(vc.newCtx()).ResourcePool
	a.Self = types.ManagedObjectReference{}
	a.Name, a.Owner, a.Parent = name, pool.Owner, pointer(pool.Self)
	dc := m.datacenter()
	a.ParentFolder = pointer(dc.VmFolder)
	a.Summary = &types.VirtualAppSummary{ResourcePoolSummary: types.ResourcePoolSummary{Name: name, Config: a.Config, Runtime: a.Runtime}, VAppState: types.VirtualAppVAppStateStarted}
	a.VAppConfig = &types.VAppConfigInfo{InstanceUuid: vc.lab.ID.UUID("vapp", vc.Spec.Name, pool.Self.Value, name)}
	vc.Map().NewEntity(a)
	a.Config.Entity = pointer(a.Self)
	ctx := vc.newCtx()
	ctx.WithLock(pool, func() {
		ctx.Update(pool, []types.PropertyChange{{Name: "resourcePool", Val: with(pool.ResourcePool.ResourcePool, a.Self)}})
	})
	vc.Map().Put(a)
	return a
}

// enter moves a VM from its folder and its pool into a vApp.
func (m *machine) enter(a *simulator.VirtualApp) {
	vc, before := m.vc, m.parents()
	vc.leaveFolder(m)
	m.edit(func(vm *simulator.VirtualMachine) {
		vm.Parent, vm.ParentVApp, vm.ResourcePool = nil, pointer(a.Self), pointer(a.Self)
	})
	vc.relink(m.self, before, m.parents())
	ctx := vc.newCtx()
	ctx.WithLock(a, func() {
		c := *a.VAppConfig
		self := m.self
		c.EntityConfig = append(slices.Clone(c.EntityConfig), types.VAppEntityConfigInfo{Key: &self, Tag: m.vm().Name})
		ctx.Update(a, []types.PropertyChange{{Name: "vAppConfig", Val: &c}})
	})
}

// leave takes a VM out of its vApp, if it is in one; the pool is that of the vApp.
func (m *machine) leave() {
	var ref *types.ManagedObjectReference
	m.read(func(vm *simulator.VirtualMachine) { ref = vm.ParentVApp })
	if ref == nil {
		return
	}
	if a, ok := get[*simulator.VirtualApp](m.vc, *ref); ok {
		ctx := m.vc.newCtx()
		ctx.WithLock(a, func() {
			c := *a.VAppConfig
			c.EntityConfig = slices.DeleteFunc(slices.Clone(c.EntityConfig), func(e types.VAppEntityConfigInfo) bool { return deref(e.Key) == m.self })
			ctx.Update(a, []types.PropertyChange{{Name: "vAppConfig", Val: &c}})
		})
	}
	m.edit(func(vm *simulator.VirtualMachine) { vm.ParentVApp = nil })
}

// container is what an entity is in: its parent, or the vApp of a VM. The entity is locked.
func container(e mo.Entity) *types.ManagedObjectReference {
	if vm, ok := e.(*simulator.VirtualMachine); ok && vm.Parent == nil {
		return vm.ParentVApp
	}
	return e.Entity().Parent
}

// folder is the folder that a VM is in; nil for one in a vApp.
func (m *machine) folder() (f *simulator.Folder) {
	var ref types.ManagedObjectReference
	m.read(func(vm *simulator.VirtualMachine) { ref = deref(vm.Parent) })
	f, _ = get[*simulator.Folder](m.vc, ref)
	return f
}

// leaveFolder takes a VM out of the list of its folder.
func (vc *VC) leaveFolder(m *machine) {
	if f := m.folder(); f != nil {
		vc.children(f, func(c []types.ManagedObjectReference) []types.ManagedObjectReference { return without(c, m.self) })
	}
}
