package lab

import (
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// movable refuses what cannot leave its vCenter.
func (x *crossing) movable() types.BaseMethodFault {
	m := x.m
	if m.template() {
		return because(new(types.NotSupported), "A template cannot be migrated to another vCenter.")
	}
	if m.power() == suspended {
		return because(new(types.SuspendedRelocateNotSupported), "The lab migrates no suspended virtual machine to another vCenter.")
	}
	if connected, _ := m.vc.hostState(m.host()); !connected {
		return because(new(types.InvalidState), "Host '%s' is not connected.", m.vc.entityName(m.host()))
	}
	return m.mapsRawDevice("migrate")
}

// destination finds host, pool and folder at the new vCenter. Only the folder may be left out: it is then the root of the host's
// datacenter.
func (x *crossing) destination() types.BaseMethodFault {
	spec, vc := x.spec, x.vc
	for _, x := range []struct {
		name string
		ref  *types.ManagedObjectReference
	}{{"host", spec.Host}, {"pool", spec.Pool}, {"datastore", spec.Datastore}} {
		if x.ref == nil {
			return because(&types.InvalidArgument{InvalidProperty: "spec." + x.name}, "It has to be given when the virtual machine moves to another vCenter.")
		}
	}
	host, ok := get[*simulator.HostSystem](vc, *spec.Host)
	if !ok {
		return &types.ManagedObjectNotFound{Obj: *spec.Host}
	}
	if _, ok := get[*simulator.ResourcePool](vc, *spec.Pool); !ok {
		return &types.ManagedObjectNotFound{Obj: *spec.Pool}
	}
	if hosts, pools := vc.computeResource(host.Self), vc.computeResource(*spec.Pool); hosts == nil || pools == nil || hosts.Self != pools.Self {
		return because(&types.InvalidArgument{InvalidProperty: "spec.pool"}, "The pool does not belong to the cluster of the host.")
	}
	x.host, x.pool, x.dc = host, spec.Pool, vc.datacenterOf(host.Self)
	ref := x.dc.VmFolder
	if spec.Folder != nil {
		ref = *spec.Folder
	}
	if x.folder, ok = get[*simulator.Folder](vc, ref); !ok {
		return &types.ManagedObjectNotFound{Obj: ref}
	}
	if vc.datacenterOf(ref) != x.dc || !slices.Contains(x.folder.ChildType, "VirtualMachine") {
		return because(&types.InvalidArgument{InvalidProperty: "spec.folder"}, "The folder is no folder for virtual machines of the host's datacenter.")
	}
	return nil
}

// supported refuses hosts that are too old, and hosts without vMotion if the VM runs.
func (x *crossing) supported() types.BaseMethodFault {
	for _, s := range []*server{x.vc.lab.servers[x.m.vc.entityName(x.m.host())], x.vc.lab.servers[x.vc.entityName(x.host)]} {
		if scenario.Compare(s.image().version, oldestCross) < 0 {
			return because(new(types.NotSupported), "Host '%s' runs ESXi %s; migration between vCenters needs %s or later on both hosts.", s.spec.Name, s.image().version, oldestCross)
		}
	}
	if x.m.power() != on {
		return nil
	}
	return x.vmotionReady()
}

// runs checks the VM as it will be against its host, as it is now.
func (x *crossing) runs() types.BaseMethodFault {
	if f := x.vc.runsOn(x.config, x.host); f != nil {
		return f
	}
	if x.m.power() == on {
		return x.vc.compatible(x.m, x.host)
	}
	return nil
}

// mounts checks again that the host has every volume.
func (x *crossing) mounts() types.BaseMethodFault {
	for _, uuid := range append(values(x.files.targets), x.files.home) {
		if v := x.vc.lookup(x.dc, uuid); v == nil || !v.hosts[x.host.Self] {
			return because(&types.CannotAccessFile{FileFault: types.FileFault{File: uuid}}, "Host '%s' has lost its volume.", x.vc.entityName(x.host))
		}
	}
	return nil
}

// drives refuses a connected CD image that the new host does not see.
func (x *crossing) drives() types.BaseMethodFault {
	for _, d := range x.config.Hardware.Device {
		v := d.GetVirtualDevice()
		b, ok := v.Backing.(*types.VirtualCdromIsoBackingInfo)
		if !ok || v.Connectable == nil || !v.Connectable.Connected && !v.Connectable.StartConnected {
			continue
		}
		at, _ := x.m.vc.placeNamed(x.m.datacenter(), b.FileName)
		if to := x.vc.lookup(x.dc, at.uuid); to == nil || !to.hosts[x.host.Self] {
			return because(&types.CannotAccessVmDevice{Device: v.DeviceInfo.GetDescription().Label, Backing: b.FileName, Connected: true},
				"Host '%s' has not mounted its volume.", x.vc.entityName(x.host))
		}
	}
	return nil
}

// unique refuses a name, a UUID or an address that the new vCenter has already, and keeps name and place from others.
func (x *crossing) unique() types.BaseMethodFault {
	c := x.m.config()
	macs := map[string]bool{}
	for _, mac := range addresses(c) {
		macs[mac] = true
	}
	for _, other := range x.vc.machines.all() {
		o := other.config()
		if o == nil {
			continue
		}
		if o.InstanceUuid == c.InstanceUuid {
			return because(&types.AlreadyExists{Name: c.InstanceUuid}, "Virtual machine '%s' has the same instance UUID.", o.Name)
		}
		for _, mac := range addresses(o) {
			if macs[mac] {
				return because(&types.GenericVmConfigFault{Reason: "MAC address conflict"}, "Virtual machine '%s' has the MAC address %s already.", o.Name, mac)
			}
		}
	}
	if f := x.free(); f != nil {
		return f
	}
	if !x.reserved.name(x.folder.Self.Value + "/" + c.Name) {
		return &types.DuplicateName{Name: c.Name, Object: x.folder.Self}
	}
	if !x.reserved.home(x.m.place()) {
		return &types.AlreadyExists{Name: c.Files.VmPathName}
	}
	return nil
}

// free refuses a name that the folder has.
func (x *crossing) free() types.BaseMethodFault { return x.vc.freeName(x.folder, x.m.name()) }

func addresses(c *types.VirtualMachineConfigInfo) (out []string) {
	for _, d := range c.Hardware.Device {
		if n, ok := d.(types.BaseVirtualEthernetCard); ok {
			out = append(out, strings.ToLower(n.GetVirtualEthernetCard().MacAddress))
		}
	}
	return out
}
