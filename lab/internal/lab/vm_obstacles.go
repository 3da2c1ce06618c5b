package lab

import (
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// What a VM has that prevents an operation. Sources: docs/vsphere-facts.md, "Storage vMotion and device blockers", and the API's
// documentation of the faults.

// direct reports a device of the host's PCI bus.
func direct(x types.BaseVirtualDevice) bool {
	return is[*types.VirtualPCIPassthrough](x) || is[*types.VirtualSriovEthernetCard](x)
}

func labelled(x types.BaseVirtualDevice) types.DeviceNotSupported {
	return types.DeviceNotSupported{Device: deviceLabel(x)}
}

func deviceLabel(x types.BaseVirtualDevice) string {
	if d := x.GetVirtualDevice().DeviceInfo; d != nil {
		return d.GetDescription().Label
	}
	return ""
}

func connected(x types.BaseVirtualDevice) bool {
	c := x.GetVirtualDevice().Connectable
	return c != nil && c.Connected
}

// attached is the fault for a device that prevents a migration.
func attached(why types.BaseMethodFault) types.BaseMethodFault {
	return because(&types.DisallowedMigrationDeviceAttached{Fault: types.LocalizedMethodFault{Fault: why, LocalizedMessage: describe(why)}}, "%s", describe(why))
}

// obstacles refuses a move for what the VM has, for clones that stand on its disks and for a new host that is too small for it.
func (r *relocation) obstacles() types.BaseMethodFault {
	m := r.m
	otherHost := r.elsewhere()
	if f := m.movable(otherHost, r.files.any(), r.host); f != nil {
		return f
	}
	for key, layers := range r.files.layers {
		if layers[0].at.uuid != r.files.targets[key] {
			if f := m.vc.lab.dependent(m, layers); f != nil {
				return f
			}
		}
	}
	if otherHost && m.power() == on {
		return r.vc.hasRoom(m, r.host)
	}
	return nil
}

// movable refuses a relocation that the VM itself prevents: to another host, or of its files, or both.
func (m *machine) movable(otherHost, files bool, to *simulator.HostSystem) types.BaseMethodFault {
	c, live := m.config(), m.power() == on
	if f := m.disabled("RelocateVM_Task"); f != nil {
		return f
	}
	if protected(c) {
		return because(&types.CannotMoveFaultToleranceVm{MoveType: "cluster", VmName: c.Name}, "Fault tolerance has to be turned off first.")
	}
	if live && (otherHost || files) && installerMounted(c) {
		return because(new(types.ToolsInstallationInProgress), "VMware Tools are being installed.")
	}
	if set := bound(c); live && otherHost && len(set) > 0 {
		return &types.AffinityConfigured{ConfiguredAffinity: set}
	}
	for _, x := range c.Hardware.Device {
		if f := m.deviceMovable(x, live, otherHost, files, to); f != nil {
			return f
		}
	}
	return nil
}

func (m *machine) deviceMovable(x types.BaseVirtualDevice, live, otherHost, files bool, to *simulator.HostSystem) types.BaseMethodFault {
	if disk, ok := x.(*types.VirtualDisk); ok {
		b, _ := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
		switch {
		case files && sharingOf(disk) == string(types.VirtualDiskSharingSharingMultiWriter):
			return attached(because(&types.MultiWriterNotSupported{DeviceNotSupported: labelled(x)}, "%s may be written by several virtual machines.", deviceLabel(x)))
		case live && files && b != nil && strings.Contains(b.DiskMode, "nonpersistent"):
			return because(&types.IndependentDiskVMotionNotSupported{MigrationFeatureNotSupported: types.MigrationFeatureNotSupported{
				AtSourceHost: true, FailedHostName: m.vc.nameOf(m.host()), FailedHost: m.host().Self,
			}}, "%s is in mode %s.", deviceLabel(x), b.DiskMode)
		}
		return nil
	}
	if !live {
		return nil
	}
	if y, ok := x.(types.BaseVirtualSCSIController); ok {
		if y.GetVirtualSCSIController().SharedBus != types.VirtualSCSISharingNoSharing {
			return attached(because(&types.SharedBusControllerNotSupported{DeviceNotSupported: labelled(x)}, "%s shares its bus.", deviceLabel(x)))
		}
	}
	if direct(x) {
		return attached(because(pointer(labelled(x)), "%s is a device of the host.", deviceLabel(x)))
	}
	if !otherHost {
		return nil
	}
	if is[*types.VirtualUSB](x) {
		return attached(because(pointer(labelled(x)), "%s is a device of the host.", deviceLabel(x)))
	}
	if !connected(x) {
		return nil
	}
	switch b := x.GetVirtualDevice().Backing.(type) {
	case types.BaseVirtualDeviceRemoteDeviceBackingInfo:
		return attached(because(&types.RemoteDeviceNotSupported{DeviceNotSupported: labelled(x)}, "%s is a device of a client.", deviceLabel(x)))
	case *types.VirtualEthernetCardNetworkBackingInfo: // checked as a network
	case types.BaseVirtualDeviceDeviceBackingInfo:
		return attached(because(&types.CannotAccessVmDevice{Device: deviceLabel(x), Backing: b.GetVirtualDeviceDeviceBackingInfo().DeviceName, Connected: true}, "%s is a device of the host.", deviceLabel(x)))
	case *types.VirtualCdromIsoBackingInfo, *types.VirtualFloppyImageBackingInfo:
		return m.vc.reaches(m.datacenter(), x, to)
	}
	return nil
}

// reaches refuses a host that cannot open the image of a drive.
func (vc *VC) reaches(dc *simulator.Datacenter, x types.BaseVirtualDevice, host *simulator.HostSystem) types.BaseMethodFault {
	if installsTools(x) {
		return nil
	}
	name := x.GetVirtualDevice().Backing.(types.BaseVirtualDeviceFileBackingInfo).GetVirtualDeviceFileBackingInfo().FileName
	at, ok := vc.placeOf(dc, x)
	if ok && vc.lab.size(at) >= 0 && slices.ContainsFunc(vc.hostMounts(vc.nameOf(host)), func(v hostMount) bool { return v.uuid == at.uuid && v.accessible }) {
		return nil
	}
	return because(&types.CannotAccessVmDevice{Device: deviceLabel(x), Backing: name, Connected: true}, "Host '%s' cannot open %s.", vc.entityName(host), name)
}

// hasDevices refuses a host without the devices that a configuration needs from it. A device of a kind is at those hosts where the
// scenario has a VM with one; a whole PCI device and a USB device are at the very host that they name.
func (vc *VC) hasDevices(c *types.VirtualMachineConfigInfo, host *simulator.HostSystem) types.BaseMethodFault {
	name := vc.nameOf(host)
	dc := vc.datacenterOf(host.Self)
	for _, x := range c.Hardware.Device {
		v := x.GetVirtualDevice()
		if v.Connectable != nil && !v.Connectable.StartConnected {
			continue
		}
		kind, here := "", true
		switch b := v.Backing.(type) {
		case *types.VirtualPCIPassthroughDeviceBackingInfo:
			kind, here = "passthrough", b.SystemId == hostID(vc.lab, name)
		case *types.VirtualPCIPassthroughVmiopBackingInfo:
			kind = "vgpu"
		case *types.VirtualUSBUSBBackingInfo:
			kind, here = "usb", strings.HasSuffix(b.DeviceName, hostID(vc.lab, name))
		case *types.VirtualSerialPortDeviceBackingInfo:
			kind = "serial"
		case *types.VirtualParallelPortDeviceBackingInfo:
			kind = "parallel"
		case *types.VirtualCdromIsoBackingInfo, *types.VirtualFloppyImageBackingInfo:
			if f := vc.reaches(dc, x, host); f != nil {
				return f
			}
		}
		if is[*types.VirtualSriovEthernetCard](x) {
			kind = "sriov"
		}
		if kind != "" && (!here || !vc.lab.equipped(name, kind)) {
			return because(pointer(labelled(x)), "Host '%s' has not the device behind %s.", name, deviceLabel(x))
		}
	}
	return nil
}

// equipped reports whether a host has a device of a kind: whether the scenario has a VM with one there.
func (l *Lab) equipped(host, kind string) bool {
	for i := range l.Scenario.VMs {
		if vm := &l.Scenario.VMs[i]; vm.Host == host && slices.Contains(vm.Devices, kind) {
			return true
		}
	}
	return false
}

// freezable refuses a snapshot, or with suspend a suspension, of a VM with devices whose state nobody can write down.
func (m *machine) freezable(suspend, memory bool) types.BaseMethodFault {
	c := m.config()
	what := "a snapshot of it"
	if suspend {
		what = "suspending it"
	}
	refuse := func(format string, args ...any) types.BaseMethodFault {
		return because(new(types.NotSupported), strings.ToUpper(what[:1])+what[1:]+" is not possible: "+format, args...)
	}
	if protected(c) {
		return refuse("it is fault tolerant.")
	}
	for _, x := range c.Hardware.Device {
		disk, isDisk := x.(*types.VirtualDisk)
		scsi, isSCSI := x.(types.BaseVirtualSCSIController)
		switch {
		case isSCSI && scsi.GetVirtualSCSIController().SharedBus != types.VirtualSCSISharingNoSharing:
			return refuse("%s shares its bus.", deviceLabel(x))
		case direct(x) && m.power() == on:
			return refuse("%s is a device of the host.", deviceLabel(x))
		case isDisk && sharingOf(disk) == string(types.VirtualDiskSharingSharingMultiWriter) && (suspend || !independent(disk)):
			return refuse("%s may be written by several virtual machines.", deviceLabel(x))
		case isDisk && memory && m.power() == on && independent(disk):
			return because(new(types.MemorySnapshotOnIndependentDisk), "%s is independent.", deviceLabel(x))
		}
	}
	return nil
}

// trackable refuses changed block tracking of disks that others write too.
func (m *machine) trackable(on *bool) types.BaseMethodFault {
	for _, x := range m.config().Hardware.Device {
		if disk, ok := x.(*types.VirtualDisk); ok && isTrue(on) && sharingOf(disk) == string(types.VirtualDiskSharingSharingMultiWriter) {
			return because(new(types.NotSupported), "%s may be written by several virtual machines.", deviceLabel(x))
		}
	}
	return nil
}

func independent(disk *types.VirtualDisk) bool {
	b, ok := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
	return ok && strings.HasPrefix(b.DiskMode, "independent")
}

// backupLock are the methods that backup products disable while they read a VM's disks.
var backupLock = []string{"RelocateVM_Task", "MigrateVM_Task", "UnregisterVM", "Destroy_Task", "MarkAsTemplate"}

// disabled refuses a method that somebody has disabled for the VM.
func (m *machine) disabled(method string) (f types.BaseMethodFault) {
	m.read(func(vm *simulator.VirtualMachine) {
		if slices.Contains(vm.DisabledMethod, method) {
			f = because(&types.MethodDisabled{Source: "com.vmware.vim.vadp"}, "The method %s is disabled by 'com.vmware.vim.vadp': a backup product has locked the virtual machine.", method)
		}
	})
	return f
}

// orphaned refuses what needs a host that knows the VM.
func (m *machine) orphaned() types.BaseMethodFault {
	if vm := m.vm(); vm != nil && m.vc.orphan(vm) {
		return because(new(types.InvalidState), "The virtual machine is orphaned: its host knows nothing of it.")
	}
	return nil
}

func (vc *VC) orphan(vm *simulator.VirtualMachine) (is bool) {
	vc.read(vm, func() { is = vm.Runtime.ConnectionState == types.VirtualMachineConnectionStateOrphaned })
	return is
}
