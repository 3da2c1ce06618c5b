package lab

import (
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// place finds host, pool and folder after the move.
func (r *relocation) place() types.BaseMethodFault {
	m, vc, spec := r.m, r.m.vc, r.spec
	r.host = m.host()
	m.read(func(vm *simulator.VirtualMachine) { r.pool = vm.ResourcePool })
	template := m.template()
	if spec.Pool != nil {
		if template {
			return because(&types.InvalidArgument{InvalidProperty: "spec.pool"}, "A template has no resource pool.")
		}
		if _, ok := vc.Map().Get(*spec.Pool).(*simulator.ResourcePool); !ok {
			return &types.ManagedObjectNotFound{Obj: *spec.Pool}
		}
		r.pool = spec.Pool
	}
	if spec.Host != nil {
		h, ok := vc.Map().Get(*spec.Host).(*simulator.HostSystem)
		if !ok {
			return &types.ManagedObjectNotFound{Obj: *spec.Host}
		}
		r.host = h
	}
	if !template {
		hosts, pools := vc.computeResource(r.host.Self), vc.computeResource(*r.pool)
		switch {
		case hosts == nil || pools == nil || vc.datacenterOf(r.host.Self) != r.dc:
			return because(&types.InvalidArgument{InvalidProperty: "spec.host"}, "The host is in another datacenter.")
		case hosts.Self != pools.Self && spec.Host == nil:
			return because(&types.InvalidArgument{InvalidProperty: "spec.host"}, "A pool of another cluster needs a host of it.")
		case hosts.Self != pools.Self:
			return because(&types.InvalidArgument{InvalidProperty: "spec.pool"}, "The pool does not belong to the cluster of the host.")
		}
	}
	if spec.Folder != nil {
		f, ok := vc.Map().Get(*spec.Folder).(*simulator.Folder)
		if !ok {
			return &types.ManagedObjectNotFound{Obj: *spec.Folder}
		}
		if vc.datacenterOf(f.Self) != r.dc || !slices.Contains(f.ChildType, "VirtualMachine") {
			return because(&types.InvalidArgument{InvalidProperty: "spec.folder"}, "The folder is no folder for virtual machines of this datacenter.")
		}
		if from := m.folder(); from == nil || from.Self != f.Self {
			if fault := vc.freeName(f, m.name()); fault != nil {
				return fault
			}
			r.folder = f
		}
	}
	return nil
}

// network works the device changes of the spec in, and checks a running or moving VM against its new host.
func (r *relocation) network() types.BaseMethodFault {
	m := r.m
	c := *m.config()
	r.config = &c
	if r.host.Self != m.host().Self || len(r.spec.DeviceChange) > 0 {
		list := slices.Clone(c.Hardware.Device)
		for i, x := range r.spec.DeviceChange {
			s := x.GetVirtualDeviceConfigSpec()
			at := slices.IndexFunc(list, func(d types.BaseVirtualDevice) bool {
				return s.Device != nil && d.GetVirtualDevice().Key == s.Device.GetVirtualDevice().Key
			})
			if at < 0 || s.Operation != types.VirtualDeviceConfigSpecOperationEdit {
				return &types.InvalidDeviceSpec{InvalidVmConfig: types.InvalidVmConfig{Property: "spec.deviceChange"}, DeviceIndex: int32(i)}
			}
			card, ok := clone(list[at]).(types.BaseVirtualEthernetCard)
			if !ok {
				return because(new(types.NotSupported), "Only NICs can be changed by a relocation.")
			}
			if f := r.vc.plug(r.host, card.GetVirtualEthernetCard(), s.Device.GetVirtualDevice().Backing, i); f != nil {
				return f
			}
			list[at] = card.(types.BaseVirtualDevice)
		}
		c.Hardware.Device = list
	}
	if r.host.Self == m.host().Self {
		return nil
	}
	if m.template() {
		if !m.vc.takesVMs(r.host) {
			return because(new(types.InvalidState), "Host '%s' is in maintenance mode or not connected.", m.vc.entityName(r.host))
		}
		return nil
	}
	if f := m.vc.runsOn(&c, r.host); f != nil {
		return f
	}
	if m.power() == on {
		if f := r.vmotionReady(); f != nil {
			return f
		}
	}
	if m.power() != off {
		return m.vc.compatible(m, r.host)
	}
	return nil
}

// vmotionReady refuses to move a running VM between hosts of which one has no adapter that carries vMotion.
func (r *relocation) vmotionReady() types.BaseMethodFault {
	for _, h := range []*simulator.HostSystem{r.m.host(), r.host} {
		vc, source := r.vc, h != r.host
		if source {
			vc = r.m.vc
		}
		enabled := false
		vc.read(h, func() { enabled = h.Summary.Config.VmotionEnabled })
		if !enabled {
			return because(&types.VMotionNotConfigured{VMotionInterfaceIssue: types.VMotionInterfaceIssue{
				AtSourceHost: source, FailedHost: vc.entityName(h), FailedHostEntity: &h.Self,
			}}, "No VMkernel adapter of host '%s' carries vMotion.", vc.entityName(h))
		}
	}
	return nil
}

// compatible refuses a host whose processor features do not cover those that the VM runs with.
func (vc *VC) compatible(m *machine, host *simulator.HostSystem) types.BaseMethodFault {
	need := m.needs()
	if offered := vc.evcOffered(host); !evcCovers(offered, need) {
		return because(&types.CpuIncompatible{VirtualHardwareCompatibilityIssue: types.VirtualHardwareCompatibilityIssue{}, Host: &host.Self},
			"The virtual machine runs with the features of %s; host '%s' offers %s.", need, vc.entityName(host), offered)
	}
	return nil
}

// vmotion moves a VM to another host of its cluster, as DRS and maintenance mode do, and waits for the end.
func (vc *VC) vmotion(vm *simulator.VirtualMachine, to *simulator.HostSystem) types.BaseMethodFault {
	m := vc.machines.get(vm.Self)
	if m == nil {
		return &types.ManagedObjectNotFound{Obj: vm.Self}
	}
	host := to.Self
	return vc.await(m.run("VirtualMachine.migrate", func(j *job) (types.AnyType, types.BaseMethodFault) {
		return nil, m.relocate(j, &types.VirtualMachineRelocateSpec{Host: &host})
	}))
}

// storage plans which files move, and checks that the new host has every volume mounted.
func (r *relocation) storage() types.BaseMethodFault {
	m, vc := r.m, r.vc
	layers, f := m.vc.disks(m.datacenter(), r.config)
	if f != nil {
		return f
	}
	at := m.place()
	home := at.uuid
	if r.spec.Datastore != nil {
		v, f := r.mounted(*r.spec.Datastore)
		if f != nil {
			return f
		}
		home = v.uuid
	}
	targets := map[int32]string{} // volume by device
	for key := range layers {
		targets[key] = layers[key][0].at.uuid
		if r.spec.Datastore != nil {
			targets[key] = home
		}
	}
	for _, x := range r.spec.Disk {
		if _, ok := layers[x.DiskId]; !ok {
			return because(&types.InvalidArgument{InvalidProperty: "spec.disk.diskId"}, "The virtual machine has no disk with the key %d.", x.DiskId)
		}
		v, f := r.mounted(x.Datastore)
		if f != nil {
			return f
		}
		targets[x.DiskId] = v.uuid
	}
	r.files = fileMove{m: m, vc: vc, dc: r.dc, config: r.config, layers: layers, home: home, targets: targets}
	if f := r.visible(); f != nil {
		return f
	}
	return r.persistent(layers, targets)
}

// visible refuses a host that has not mounted a volume of the VM, or cannot use it.
func (r *relocation) visible() types.BaseMethodFault {
	for _, uuid := range append(values(r.files.targets), r.files.home) {
		if v := r.vc.lookup(r.dc, uuid); v == nil || !v.hosts[r.host.Self] {
			return because(&types.CannotAccessVmDisk{CannotAccessVmDevice: types.CannotAccessVmDevice{Device: "disk", Backing: uuid, Connected: true},
				Fault: types.LocalizedMethodFault{Fault: new(types.NotFound), LocalizedMessage: "The volume is not mounted."}},
				"Host '%s' has not mounted a volume of the virtual machine.", r.vc.entityName(r.host))
		}
	}
	return nil
}

// persistent refuses to move a disk of a running VM whose changes are thrown away at power-off.
func (r *relocation) persistent(layers map[int32][]layer, targets map[int32]string) types.BaseMethodFault {
	host := r.m.host()
	for _, d := range r.config.Hardware.Device {
		b, ok := d.GetVirtualDevice().Backing.(*types.VirtualDiskFlatVer2BackingInfo)
		key := d.GetVirtualDevice().Key
		if !ok || r.m.power() != on || layers[key][0].at.uuid == targets[key] || !strings.HasSuffix(b.DiskMode, "nonpersistent") {
			continue
		}
		return because(&types.IndependentDiskVMotionNotSupported{MigrationFeatureNotSupported: types.MigrationFeatureNotSupported{
			AtSourceHost: true, FailedHostName: r.m.vc.entityName(host), FailedHost: host.Self,
		}}, "A disk of the running virtual machine is in mode %s.", b.DiskMode)
	}
	return nil
}

func values(m map[int32]string) (out []string) {
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// mounted is a datastore that the VM's new host can write to.
func (r *relocation) mounted(ref types.ManagedObjectReference) (*volume, types.BaseMethodFault) {
	v := r.vc.volumeOf(ref)
	if v == nil {
		return nil, &types.ManagedObjectNotFound{Obj: ref}
	}
	if r.vc.lookup(r.dc, v.uuid) == nil {
		return nil, because(&types.InvalidDatastore{Datastore: &ref, Name: v.name}, "It is in another datacenter.")
	}
	if !v.hosts[r.host.Self] {
		return nil, because(&types.DatastoreNotWritableOnHost{InvalidDatastore: types.InvalidDatastore{Datastore: &ref, Name: v.name}, Host: r.host.Self},
			"Host '%s' has not mounted it.", r.vc.entityName(r.host))
	}
	return v, nil
}
