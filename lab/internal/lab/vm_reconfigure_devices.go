package lab

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

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
			if p := m.power(); p != off && (direct(list[at]) || is[*types.VirtualTPM](list[at])) {
				return wrongPower(p, off)
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
			return d, m.vc.plug(m.host(), card, c.Backing, index)
		}
	case *types.VirtualCdrom:
		switch b := n.Backing.(type) {
		case nil:
		case *types.VirtualCdromAtapiBackingInfo:
			v.Backing = &types.VirtualCdromAtapiBackingInfo{VirtualDeviceDeviceBackingInfo: device(b.DeviceName)}
		case *types.VirtualCdromRemotePassthroughBackingInfo, *types.VirtualCdromRemoteAtapiBackingInfo:
			v.Backing = &types.VirtualCdromRemotePassthroughBackingInfo{VirtualDeviceRemoteDeviceBackingInfo: types.VirtualDeviceRemoteDeviceBackingInfo{UseAutoDetect: types.NewBool(false)}}
		case *types.VirtualCdromIsoBackingInfo:
			at, ok := m.vc.placeNamed(m.datacenter(), b.FileName)
			if !ok || m.vc.lab.size(at) < 0 {
				return nil, &types.FileNotFound{FileFault: types.FileFault{File: b.FileName}}
			}
			v.Backing = &types.VirtualCdromIsoBackingInfo{VirtualDeviceFileBackingInfo: m.vc.fileBacking(m.datacenter(), at)}
		}
	case *types.VirtualFloppy, *types.VirtualSerialPort, *types.VirtualParallelPort: // whether they are connected; their backing stays
	case *types.VirtualDisk:
		b, ok := n.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
		have, flat := v.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
		if !flat {
			return nil, because(new(types.NotSupported), "The lab does not change a raw device mapping.")
		}
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
func (vc *VC) plug(host *simulator.HostSystem, card *types.VirtualEthernetCard, b types.BaseVirtualDeviceBackingInfo, index int) types.BaseMethodFault {
	net, f := vc.networkFor(host, "", b)
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
			p.PortKey = fmt.Sprint(vc.machines.ports.Add(1))
		}
		if p.ConnectionCookie == 0 {
			p.ConnectionCookie = int32(vc.machines.ports.Load()) + 1000
		}
		card.Backing = &types.VirtualEthernetCardDistributedVirtualPortBackingInfo{Port: p}
	}
	return nil
}

// addNIC is a new NIC with the next free key and, if it has none, an address.
func (m *machine) addNIC(list []types.BaseVirtualDevice, d types.BaseVirtualDevice, index int) (types.BaseVirtualDevice, types.BaseMethodFault) {
	x, ok := clone(d).(types.BaseVirtualEthernetCard)
	if !ok || direct(d) {
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
	if f := m.vc.plug(m.host(), card, card.Backing, index); f != nil {
		return nil, f
	}
	return x.(types.BaseVirtualDevice), nil
}
