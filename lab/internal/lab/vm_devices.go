package lab

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/esx"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/vmx"
)

// Keys of devices, as vSphere gives them.
const (
	ideKey, pciKey, scsiKey, sataKey               = 200, 100, 1000, 15000
	scsiDiskKey, ideDeviceKey, nicKey, sataDiskKey = 2000, 3000, 4000, 16000
)

var scsiTypes = map[string]func(types.VirtualSCSIController) types.BaseVirtualDevice{
	"pvscsi": func(c types.VirtualSCSIController) types.BaseVirtualDevice {
		return &types.ParaVirtualSCSIController{VirtualSCSIController: c}
	},
	"lsilogic": func(c types.VirtualSCSIController) types.BaseVirtualDevice {
		return &types.VirtualLsiLogicController{VirtualSCSIController: c}
	},
	"lsisas1068": func(c types.VirtualSCSIController) types.BaseVirtualDevice {
		return &types.VirtualLsiLogicSASController{VirtualSCSIController: c}
	},
	"buslogic": func(c types.VirtualSCSIController) types.BaseVirtualDevice {
		return &types.VirtualBusLogicController{VirtualSCSIController: c}
	},
}

func scsiType(c types.BaseVirtualDevice) string {
	switch c.(type) {
	case *types.ParaVirtualSCSIController:
		return "pvscsi"
	case *types.VirtualLsiLogicSASController:
		return "lsisas1068"
	case *types.VirtualBusLogicController:
		return "buslogic"
	}
	return "lsilogic"
}

var nicTypes = map[string]func(types.VirtualEthernetCard) types.BaseVirtualDevice{
	"vmxnet3": func(c types.VirtualEthernetCard) types.BaseVirtualDevice {
		return &types.VirtualVmxnet3{VirtualVmxnet: types.VirtualVmxnet{VirtualEthernetCard: c}}
	},
	"e1000": func(c types.VirtualEthernetCard) types.BaseVirtualDevice {
		return &types.VirtualE1000{VirtualEthernetCard: c}
	},
	"e1000e": func(c types.VirtualEthernetCard) types.BaseVirtualDevice {
		return &types.VirtualE1000e{VirtualEthernetCard: c}
	},
}

func nicType(c types.BaseVirtualDevice) string {
	switch c.(type) {
	case *types.VirtualE1000:
		return "e1000"
	case *types.VirtualE1000e:
		return "e1000e"
	}
	return "vmxnet3"
}

// addressTypes are the words of the API and of the .vmx for where a MAC address comes from.
var addressTypes = [][2]string{{"assigned", "vpx"}, {"generated", "generated"}, {"manual", "static"}}

func translate(pairs [][2]string, from, to int, v string) string {
	for _, p := range pairs {
		if strings.EqualFold(p[from], v) {
			return p[to]
		}
	}
	return pairs[0][to]
}

// buses are those that drives sit on, with how many there are and how many places each has.
var buses = []struct {
	name         string
	count, units int
}{{"ide", 2, 2}, {"scsi", 4, 16}, {"sata", 4, 30}}

// readDevices builds the devices that a .vmx at a place describes, and the places of their disks. Names of datastores are those
// of the datacenter.
func (vc *VC) readDevices(dc *simulator.Datacenter, at place, d *vmx.Dictionary) ([]types.BaseVirtualDevice, []place, types.BaseMethodFault) {
	var devices []types.BaseVirtualDevice
	for _, x := range esx.VirtualDevice { // keyboard, PCI bus and the like, which every VM has
		devices = append(devices, clone(x))
	}
	var disks []place
	for _, bus := range buses {
		for n := range bus.count {
			if bus.name != "ide" && d.True(fmt.Sprintf("%s%d.present", bus.name, n)) {
				devices = append(devices, readController(bus.name, int32(n), d))
			}
			for unit := range bus.units {
				node := fmt.Sprintf("%s%d:%d", bus.name, n, unit)
				if !d.True(node + ".present") {
					continue
				}
				dev, disk, fault := vc.readDrive(dc, at, d, node)
				if fault != nil {
					return nil, nil, fault
				}
				v := dev.GetVirtualDevice()
				v.UnitNumber = types.NewInt32(int32(unit))
				v.ControllerKey, v.Key = driveKeys(bus.name, int32(n), int32(unit))
				devices = append(devices, dev)
				if disk != nil {
					disks = append(disks, *disk)
				}
			}
		}
	}
	for n := range 10 {
		if d.True(fmt.Sprintf("ethernet%d.present", n)) {
			devices = append(devices, vc.readNIC(dc, d, int32(n)))
		}
	}
	devices = append(devices, vc.readPeripherals(dc, at, d)...)
	arrange(devices)
	return devices, disks, nil
}

// arrange gives every device its label and every controller the list of its devices.
func arrange(devices []types.BaseVirtualDevice) {
	children := map[int32][]int32{}
	disks, nics, cds, scsis, satas := 0, 0, 0, 0, 0
	others := map[string]int{}
	other := func(kind string) int { others[kind]++; return others[kind] - 1 }
	next := func(n *int, name string) string { *n++; return fmt.Sprintf("%s %d", name, *n) }
	for _, x := range devices {
		v := x.GetVirtualDevice()
		if v.ControllerKey != 0 {
			children[v.ControllerKey] = append(children[v.ControllerKey], v.Key)
		}
		summary := ""
		text := ""
		if text, summary = labelOf(x, other); text != "" {
			v.DeviceInfo = &types.Description{Label: text, Summary: summary}
			continue
		}
		switch y := x.(type) {
		case *types.VirtualDisk:
			text, summary = next(&disks, "Hard disk"), fmt.Sprintf("%d KB", y.CapacityInKB)
		case types.BaseVirtualEthernetCard:
			text = next(&nics, "Network adapter")
			switch b := v.Backing.(type) {
			case *types.VirtualEthernetCardNetworkBackingInfo:
				summary = b.DeviceName
			case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
				summary = "DVSwitch: " + b.Port.SwitchUuid
			}
		case *types.VirtualCdrom:
			text, summary = next(&cds, "CD/DVD drive"), "Remote device"
			switch b := v.Backing.(type) {
			case *types.VirtualCdromIsoBackingInfo:
				summary = "ISO " + b.FileName
			case *types.VirtualCdromAtapiBackingInfo:
				summary = b.DeviceName
			}
		case types.BaseVirtualSCSIController:
			text, summary = fmt.Sprintf("SCSI controller %d", scsis), scsiType(x)
			scsis++
		case types.BaseVirtualSATAController:
			text, summary = fmt.Sprintf("SATA controller %d", satas), "AHCI"
			satas++
		default:
			continue
		}
		v.DeviceInfo = &types.Description{Label: text, Summary: summary}
	}
	for _, x := range devices {
		if c, ok := x.(types.BaseVirtualController); ok {
			v := c.GetVirtualController()
			v.Device = children[v.Key]
		}
	}
}

// clone copies a device so deeply that a change of the copy leaves the original alone.
func clone(d types.BaseVirtualDevice) types.BaseVirtualDevice {
	return deepClone(reflect.ValueOf(d)).Interface().(types.BaseVirtualDevice)
}

func deepClone(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(deepClone(v.Elem()))
		}
	case reflect.Interface:
		if !v.IsNil() {
			out.Set(deepClone(v.Elem()))
		}
	case reflect.Slice:
		if !v.IsNil() {
			out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				out.Index(i).Set(deepClone(v.Index(i)))
			}
		}
	case reflect.Struct:
		out.Set(v) // times and the like, whose fields are their own
		for i := range v.NumField() {
			if out.Field(i).CanSet() {
				out.Field(i).Set(deepClone(v.Field(i)))
			}
		}
	default:
		out.Set(v)
	}
	return out
}

func driveKeys(bus string, n, unit int32) (controller, key int32) {
	switch bus {
	case "scsi":
		return scsiKey + n, scsiDiskKey + 16*n + unit
	case "sata":
		return sataKey + n, sataDiskKey + 30*n + unit
	}
	return ideKey + n, ideDeviceKey + 2*n + unit
}

func readController(bus string, n int32, d *vmx.Dictionary) types.BaseVirtualDevice {
	base := types.VirtualController{BusNumber: n, VirtualDevice: types.VirtualDevice{ControllerKey: pciKey, UnitNumber: types.NewInt32(3 + n)}}
	switch bus {
	case "scsi":
		base.Key = scsiKey + n
		dev := strings.ToLower(d.Get(fmt.Sprintf("scsi%d.virtualDev", n)))
		if scsiTypes[dev] == nil {
			dev = "lsilogic"
		}
		sharing := types.VirtualSCSISharing(translate(busSharing, 1, 0, d.Get(fmt.Sprintf("scsi%d.sharedBus", n))))
		return scsiTypes[dev](types.VirtualSCSIController{VirtualController: base, HotAddRemove: types.NewBool(true), ScsiCtlrUnitNumber: 7, SharedBus: sharing})
	case "sata":
		base.Key, base.UnitNumber = sataKey+n, types.NewInt32(24+n)
		return &types.VirtualAHCIController{VirtualSATAController: types.VirtualSATAController{VirtualController: base}}
	}
	return nil
}

var busSharing = [][2]string{{"noSharing", "none"}, {"virtualSharing", "virtual"}, {"physicalSharing", "physical"}}

// readDrive builds the disk or the CD drive at a node such as "scsi0:1", without its keys.
func (vc *VC) readDrive(dc *simulator.Datacenter, at place, d *vmx.Dictionary, node string) (types.BaseVirtualDevice, *place, types.BaseMethodFault) {
	name, kind := d.Get(node+".fileName"), strings.ToLower(d.Get(node+".deviceType"))
	connect := &types.VirtualDeviceConnectInfo{StartConnected: d.True(node + ".startConnected"), AllowGuestControl: true}
	switch kind {
	case "cdrom-image":
		if strings.HasPrefix(name, toolsImages) {
			return &types.VirtualCdrom{VirtualDevice: types.VirtualDevice{Backing: toolsImage(name), Connectable: connect}}, nil, nil
		}
		b := &types.VirtualCdromIsoBackingInfo{VirtualDeviceFileBackingInfo: vc.fileBacking(dc, at.absolute(name))}
		return &types.VirtualCdrom{VirtualDevice: types.VirtualDevice{Backing: b, Connectable: connect}}, nil, nil
	case "atapi-cdrom", "cdrom-raw":
		if name != "" && !d.True(node+".clientDevice") {
			return &types.VirtualCdrom{VirtualDevice: types.VirtualDevice{Backing: &types.VirtualCdromAtapiBackingInfo{VirtualDeviceDeviceBackingInfo: device(name)}, Connectable: connect}}, nil, nil
		}
		b := &types.VirtualCdromRemotePassthroughBackingInfo{VirtualDeviceRemoteDeviceBackingInfo: types.VirtualDeviceRemoteDeviceBackingInfo{DeviceName: name, UseAutoDetect: types.NewBool(false)}}
		return &types.VirtualCdrom{VirtualDevice: types.VirtualDevice{Backing: b, Connectable: connect}}, nil, nil
	}
	file := at.absolute(name)
	layers, fault := vc.lab.readDisk(file)
	if fault != nil {
		return nil, nil, because(&types.InvalidVmConfig{Property: node + ".fileName"}, "%s", describe(fault))
	}
	disk := vc.diskDevice(dc, layers, translate(diskModes, 1, 0, d.Get(node+".mode")))
	setSharing(disk, translate(diskSharing, 1, 0, d.Get(node+".sharing")))
	return disk, &file, nil
}

func (vc *VC) readNIC(dc *simulator.Datacenter, d *vmx.Dictionary, n int32) types.BaseVirtualDevice {
	get := func(k string) string { return d.Get(fmt.Sprintf("ethernet%d.%s", n, k)) }
	card := types.VirtualEthernetCard{
		VirtualDevice: types.VirtualDevice{
			Key: nicKey + n, ControllerKey: pciKey, UnitNumber: types.NewInt32(7 + n),
			Connectable: &types.VirtualDeviceConnectInfo{StartConnected: !strings.EqualFold(get("startConnected"), "FALSE"), AllowGuestControl: true, Status: "untried"},
		},
		AddressType:      translate(addressTypes, 1, 0, get("addressType")),
		MacAddress:       get("generatedAddress"),
		WakeOnLanEnabled: types.NewBool(true),
	}
	if get("address") != "" {
		card.MacAddress = get("address")
	}
	if key := get("dvs.portgroupId"); key != "" {
		card.Backing = &types.VirtualEthernetCardDistributedVirtualPortBackingInfo{Port: types.DistributedVirtualSwitchPortConnection{
			SwitchUuid: get("dvs.switchId"), PortgroupKey: key, PortKey: get("dvs.portId"),
		}}
	} else {
		b := &types.VirtualEthernetCardNetworkBackingInfo{VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: get("networkName"), UseAutoDetect: types.NewBool(false)}}
		if ref, ok := vc.networkNamed(dc, b.DeviceName); ok {
			b.Network = &ref
		}
		card.Backing = b
	}
	kind := strings.ToLower(get("virtualDev"))
	if nicTypes[kind] == nil {
		kind = "e1000"
	}
	return nicTypes[kind](card)
}
