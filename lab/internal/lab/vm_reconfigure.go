package lab

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// reconfigurable are the fields of a spec that the lab carries out; with any other it refuses the whole call rather than
// forgetting a part of it.
var reconfigurable = []string{
	"DynamicData", "ChangeVersion", "Name", "Annotation", "NumCPUs", "NumCoresPerSocket", "MemoryMB", "GuestId", "Uuid", "InstanceUuid", "ExtraConfig",
	"DeviceChange", "ChangeTrackingEnabled", "CpuHotAddEnabled", "MemoryHotAddEnabled", "CpuAllocation", "MemoryAllocation", "Tools", "Firmware",
}

// ReconfigVMTask changes the configuration and writes it to the .vmx. A template is refused.
func (o *vmObject) ReconfigVMTask(req *types.ReconfigVM_Task) soap.HasFault {
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		return &methods.ReconfigVM_TaskBody{Fault_: gone}
	}
	ref := m.run("VirtualMachine.reconfigure", func(j *job) (types.AnyType, types.BaseMethodFault) {
		if m.template() {
			return nil, because(new(types.NotSupported), "A template cannot be reconfigured.")
		}
		if _, f := m.reconfigured(&req.Spec); f != nil { // refuse before the time passes
			return nil, f
		}
		if f := j.sleep(m.vc.lab.Scenario.Durations.Reconfigure); f != nil {
			return nil, f
		}
		if f := j.commit(); f != nil {
			return nil, f
		}
		c, f := m.reconfigured(&req.Spec)
		if f != nil {
			return nil, f
		}
		return nil, m.replace(c)
	})
	return &methods.ReconfigVM_TaskBody{Res: &types.ReconfigVM_TaskResponse{Returnval: ref}}
}

// reconfigured is the configuration after a spec.
func (m *machine) reconfigured(spec *types.VirtualMachineConfigSpec) (*types.VirtualMachineConfigInfo, types.BaseMethodFault) {
	v := reflect.ValueOf(spec).Elem()
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; !slices.Contains(reconfigurable, name) && !v.Field(i).IsZero() {
			return nil, because(new(types.NotSupported), "The lab does not change spec.%s.", strings.ToLower(name[:1])+name[1:])
		}
	}
	c := *m.config()
	if spec.ChangeVersion != "" && spec.ChangeVersion != c.ChangeVersion {
		return nil, because(new(types.ConcurrentAccess), "The virtual machine was changed meanwhile.")
	}
	if f := m.hardware(&c, spec); f != nil {
		return nil, f
	}
	if spec.Name != "" {
		if f := m.rename(&c, spec.Name); f != nil {
			return nil, f
		}
	}
	if spec.Annotation != "" {
		c.Annotation = spec.Annotation
	}
	if spec.Tools != nil && spec.Tools.SyncTimeWithHost != nil {
		t := *c.Tools
		t.SyncTimeWithHost = spec.Tools.SyncTimeWithHost
		c.Tools = &t
	}
	if spec.ChangeTrackingEnabled != nil {
		c.ChangeTrackingEnabled = spec.ChangeTrackingEnabled
	}
	c.CpuAllocation, c.MemoryAllocation = allocation(c.CpuAllocation, spec.CpuAllocation), allocation(c.MemoryAllocation, spec.MemoryAllocation)
	if f := extraConfig(&c, spec.ExtraConfig); f != nil {
		return nil, f
	}
	if f := m.changeDevices(&c, spec.DeviceChange); f != nil {
		return nil, f
	}
	return &c, nil
}

func allocation(old, change *types.ResourceAllocationInfo) *types.ResourceAllocationInfo {
	if change == nil {
		return old
	}
	n := *old
	if change.Reservation != nil {
		n.Reservation = change.Reservation
	}
	if change.Limit != nil {
		n.Limit = change.Limit
	}
	if change.Shares != nil {
		n.Shares = change.Shares
	}
	return &n
}

// hardware changes what a running VM mostly keeps: without hot add, processors and memory need it to be off.
func (m *machine) hardware(c *types.VirtualMachineConfigInfo, spec *types.VirtualMachineConfigSpec) types.BaseMethodFault {
	power := m.power()
	hot := power != off
	if n := spec.NumCPUs; n != 0 && n != c.Hardware.NumCPU {
		if hot && (!isTrue(c.CpuHotAddEnabled) || n < c.Hardware.NumCPU) {
			return new(types.CpuHotPlugNotSupported)
		}
		if n < 0 {
			return &types.InvalidArgument{InvalidProperty: "spec.numCPUs"}
		}
		c.Hardware.NumCPU = n
	}
	if n := spec.MemoryMB; n != 0 && int32(n) != c.Hardware.MemoryMB {
		if hot && (!isTrue(c.MemoryHotAddEnabled) || int32(n) < c.Hardware.MemoryMB) {
			return new(types.MemoryHotPlugNotSupported)
		}
		if n < 4 {
			return &types.InvalidArgument{InvalidProperty: "spec.memoryMB"}
		}
		c.Hardware.MemoryMB = int32(n)
	}
	cold := spec.GuestId != "" || spec.Uuid != "" || spec.NumCoresPerSocket != nil || spec.Firmware != "" || spec.CpuHotAddEnabled != nil || spec.MemoryHotAddEnabled != nil
	if cold && hot {
		return wrongPower(power, off)
	}
	if spec.GuestId != "" {
		if _, ok := guestFromVMX(guestToVMX(spec.GuestId)); !ok {
			return &types.InvalidArgument{InvalidProperty: "spec.guestId"}
		}
		c.GuestId, c.GuestFullName = spec.GuestId, guestName(spec.GuestId)
	}
	for _, x := range []struct {
		from string
		to   *string
	}{{spec.Uuid, &c.Uuid}, {spec.InstanceUuid, &c.InstanceUuid}, {spec.Firmware, &c.Firmware}} {
		if x.from != "" {
			*x.to = x.from
		}
	}
	if spec.InstanceUuid != "" {
		m.vc.lab.ledger.Identify(m.place().String(), spec.InstanceUuid)
	}
	if spec.NumCoresPerSocket != nil {
		c.Hardware.NumCoresPerSocket = spec.NumCoresPerSocket
	}
	if spec.CpuHotAddEnabled != nil {
		c.CpuHotAddEnabled = spec.CpuHotAddEnabled
	}
	if spec.MemoryHotAddEnabled != nil {
		c.MemoryHotAddEnabled = spec.MemoryHotAddEnabled
	}
	return nil
}

// extraConfig merges keys; an empty value removes a key. A key that stands for a property of the configuration is refused.
func extraConfig(c *types.VirtualMachineConfigInfo, change []types.BaseOptionValue) types.BaseMethodFault {
	if len(change) == 0 {
		return nil
	}
	list := slices.Clone(c.ExtraConfig)
	for _, o := range change {
		n := o.GetOptionValue()
		value := fmt.Sprint(n.Value)
		if n.Value == nil {
			value = ""
		}
		if n.Key == "" || known.MatchString(n.Key) || strings.ContainsAny(n.Key, "\"= \t\r\n") || n.Key[0] == '#' {
			return because(&types.InvalidArgument{InvalidProperty: "spec.extraConfig"}, "The key '%s' cannot be set here.", n.Key)
		}
		i := slices.IndexFunc(list, func(x types.BaseOptionValue) bool { return strings.EqualFold(x.GetOptionValue().Key, n.Key) })
		switch {
		case value == "" && i >= 0:
			list = slices.Delete(list, i, i+1)
		case value == "":
		case i >= 0:
			list[i] = &types.OptionValue{Key: list[i].GetOptionValue().Key, Value: value}
		default:
			list = append(list, &types.OptionValue{Key: n.Key, Value: value})
		}
	}
	c.ExtraConfig = list
	return nil
}

// changeDevices edits NICs, CD drives and disk modes, and adds or removes NICs and CD drives.
func (m *machine) changeDevices(c *types.VirtualMachineConfigInfo, changes []types.BaseVirtualDeviceConfigSpec) types.BaseMethodFault {
	if len(changes) == 0 {
		return nil
	}
	list := slices.Clone(c.Hardware.Device)
	for i, x := range changes {
		s := x.GetVirtualDeviceConfigSpec()
		bad := func(property, format string, args ...any) types.BaseMethodFault {
			return because(&types.InvalidDeviceSpec{InvalidVmConfig: types.InvalidVmConfig{Property: property}, DeviceIndex: int32(i)}, format, args...)
		}
		if s.Device == nil || s.FileOperation != "" {
			return bad("virtualDeviceSpec.device", "The lab neither makes nor deletes the files of a device.")
		}
		key := s.Device.GetVirtualDevice().Key
		at := slices.IndexFunc(list, func(d types.BaseVirtualDevice) bool { return d.GetVirtualDevice().Key == key })
		switch s.Operation {
		case types.VirtualDeviceConfigSpecOperationEdit:
			if at < 0 || reflect.TypeOf(list[at]) != reflect.TypeOf(s.Device) {
				return bad("virtualDeviceSpec.device.key", "There is no such device.")
			}
			d, f := m.editDevice(list[at], s.Device, i)
			if f != nil {
				return f
			}
			list[at] = d
		case types.VirtualDeviceConfigSpecOperationRemove:
			if at < 0 {
				return bad("virtualDeviceSpec.device.key", "There is no such device.")
			}
			if _, disk := list[at].(*types.VirtualDisk); disk {
				return bad("virtualDeviceSpec.device", "The lab does not remove disks.")
			}
			list = slices.Delete(list, at, at+1)
		case types.VirtualDeviceConfigSpecOperationAdd:
			d, f := m.addNIC(list, s.Device, i)
			if f != nil {
				return f
			}
			list = append(list, d)
		default:
			return bad("virtualDeviceSpec.operation", "The operation is missing or not known.")
		}
	}
	for i := range list {
		list[i] = clone(list[i])
	}
	arrange(list)
	c.Hardware.Device = list
	return nil
}

// editDevice is a device after a change. What a change leaves out stays.
func (m *machine) editDevice(old, change types.BaseVirtualDevice, index int) (types.BaseVirtualDevice, types.BaseMethodFault) {
	d := clone(old)
	v, n := d.GetVirtualDevice(), change.GetVirtualDevice()
	if n.Connectable != nil && v.Connectable != nil {
		conn := *n.Connectable
		conn.Connected = conn.Connected && m.power() == on
		conn.Status = string(types.VirtualDeviceConnectInfoStatusOk)
		v.Connectable = &conn
	}
	switch x := d.(type) {
	case types.BaseVirtualEthernetCard:
		card, c := x.GetVirtualEthernetCard(), change.(types.BaseVirtualEthernetCard).GetVirtualEthernetCard()
		if c.MacAddress != "" {
			card.MacAddress = strings.ToLower(c.MacAddress)
		}
		if c.AddressType != "" {
			card.AddressType = c.AddressType
		}
		if c.Backing != nil {
			return d, m.plug(m.host(), card, c.Backing, index)
		}
	case *types.VirtualCdrom:
		switch b := n.Backing.(type) {
		case nil:
		case *types.VirtualCdromRemotePassthroughBackingInfo, *types.VirtualCdromRemoteAtapiBackingInfo, *types.VirtualCdromAtapiBackingInfo:
			v.Backing = &types.VirtualCdromRemotePassthroughBackingInfo{VirtualDeviceRemoteDeviceBackingInfo: types.VirtualDeviceRemoteDeviceBackingInfo{UseAutoDetect: types.NewBool(false)}}
		case *types.VirtualCdromIsoBackingInfo:
			at, ok := m.vc.placeNamed(m.datacenter(), b.FileName)
			if !ok || m.vc.lab.size(at) < 0 {
				return nil, &types.FileNotFound{FileFault: types.FileFault{File: b.FileName}}
			}
			v.Backing = &types.VirtualCdromIsoBackingInfo{VirtualDeviceFileBackingInfo: m.vc.fileBacking(m.datacenter(), at)}
		}
	case *types.VirtualDisk:
		b, ok := n.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
		have, _ := v.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
		if ok && (b.FileName != "" && b.FileName != have.FileName) || change.(*types.VirtualDisk).CapacityInKB != x.CapacityInKB {
			return nil, because(new(types.NotSupported), "The lab changes neither the file nor the size of a disk.")
		}
		if ok && b.DiskMode != "" {
			have.DiskMode = b.DiskMode
		}
	default:
		return nil, because(&types.InvalidDeviceSpec{DeviceIndex: int32(index)}, "The lab does not change devices of this kind.")
	}
	return d, nil
}

// plug connects a NIC to the network of a backing, which a host must have.
func (m *machine) plug(host *simulator.HostSystem, card *types.VirtualEthernetCard, b types.BaseVirtualDeviceBackingInfo, index int) types.BaseMethodFault {
	net, f := m.vc.networkFor(host, "", b)
	if f != nil {
		return because(&types.InvalidDeviceBacking{InvalidDeviceSpec: types.InvalidDeviceSpec{
			InvalidVmConfig: types.InvalidVmConfig{Property: "virtualDeviceSpec.device.backing"}, DeviceIndex: int32(index),
		}}, "%s", describe(f))
	}
	switch x := b.(type) {
	case *types.VirtualEthernetCardNetworkBackingInfo:
		card.Backing = &types.VirtualEthernetCardNetworkBackingInfo{
			VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: x.DeviceName, UseAutoDetect: types.NewBool(false)}, Network: &net,
		}
	case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
		p := x.Port
		if p.PortKey == "" {
			p.PortKey = fmt.Sprint(m.vc.machines.ports.Add(1))
		}
		if p.ConnectionCookie == 0 {
			p.ConnectionCookie = int32(m.vc.machines.ports.Load()) + 1000
		}
		card.Backing = &types.VirtualEthernetCardDistributedVirtualPortBackingInfo{Port: p}
	}
	return nil
}

// addNIC is a new NIC with the next free key and, if it has none, an address.
func (m *machine) addNIC(list []types.BaseVirtualDevice, d types.BaseVirtualDevice, index int) (types.BaseVirtualDevice, types.BaseMethodFault) {
	x, ok := clone(d).(types.BaseVirtualEthernetCard)
	if !ok {
		return nil, because(&types.InvalidDeviceSpec{DeviceIndex: int32(index)}, "The lab adds NICs only.")
	}
	card := x.GetVirtualEthernetCard()
	taken := map[int32]bool{}
	for _, y := range list {
		taken[y.GetVirtualDevice().Key] = true
	}
	card.Key = nicKey
	for taken[card.Key] {
		card.Key++
	}
	if card.Key > nicKey+9 {
		return nil, because(&types.TooManyDevices{InvalidVmConfig: types.InvalidVmConfig{Property: "device"}}, "A virtual machine has at most 10 NICs.")
	}
	card.ControllerKey, card.UnitNumber = pciKey, types.NewInt32(7+card.Key-nicKey)
	if card.MacAddress == "" {
		card.AddressType = string(types.VirtualEthernetCardMacTypeAssigned)
		card.MacAddress = m.vc.lab.ID.MAC("added", m.vc.Spec.Name, m.self.Value, fmt.Sprint(card.Key), now().String())
	}
	if card.Connectable == nil {
		card.Connectable = &types.VirtualDeviceConnectInfo{StartConnected: true, AllowGuestControl: true}
	}
	card.Connectable.Connected = card.Connectable.StartConnected && m.power() == on
	if f := m.plug(m.host(), card, card.Backing, index); f != nil {
		return nil, f
	}
	return x.(types.BaseVirtualDevice), nil
}

// reload makes the .vmx file the VM's configuration.
func (m *machine) reload() types.BaseMethodFault {
	return m.briefly(func() types.BaseMethodFault {
		d, f := m.vc.readVMX(m.place())
		if f != nil {
			return f
		}
		c, g, f := m.vc.decode(m.datacenter(), m.place(), d)
		if f != nil {
			return f
		}
		c.Template, c.ChangeVersion = m.template(), m.config().ChangeVersion
		m.mu.Lock()
		m.guest = g
		m.mu.Unlock()
		running := m.power() == on
		if f := m.replace(c); f != nil {
			return f
		}
		m.edit(func(vm *simulator.VirtualMachine) { connect(vm, running) })
		return nil
	})
}
