package lab

import (
	"fmt"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/vmx"
)

// Devices of a VM beside disks, CD drives and NICs: they are read from the .vmx, written back, and otherwise only seen; what they
// prevent is in vm_obstacles.go.

// Keys of devices, as vSphere gives them, and the controllers they sit on.
const (
	sioKey, usbControllerKey                                              = 400, 7000
	floppyKey, serialKey, parallelKey, usbKey, passthroughKey, trustedKey = 8000, 9000, 10000, 7100, 13000, 11000
)

// peripheral are the keys of a .vmx that stand for these devices.
const peripheral = `(floppy|serial|parallel|pciPassthru)\d+\..*|usb\.(present|autoConnect\.device\d+)|vtpm\.present`

// readPeripherals builds the devices of a .vmx at a place.
func (vc *VC) readPeripherals(dc *simulator.Datacenter, at place, d *vmx.Dictionary) []types.BaseVirtualDevice {
	var out []types.BaseVirtualDevice
	for n := range int32(4) {
		get := func(kind, key string) string { return d.Get(fmt.Sprintf("%s%d.%s", kind, n, key)) }
		connect := func(kind string) *types.VirtualDeviceConnectInfo {
			return &types.VirtualDeviceConnectInfo{StartConnected: !strings.EqualFold(get(kind, "startConnected"), "FALSE"), AllowGuestControl: true, Status: "untried"}
		}
		base := func(kind string, key, controller int32) types.VirtualDevice {
			return types.VirtualDevice{Key: key + n, ControllerKey: controller, UnitNumber: types.NewInt32(n)}
		}
		if strings.EqualFold(get("floppy", "present"), "TRUE") {
			v := base("floppy", floppyKey, sioKey)
			v.Connectable = connect("floppy")
			v.Backing = &types.VirtualFloppyDeviceBackingInfo{VirtualDeviceDeviceBackingInfo: device(get("floppy", "fileName"))}
			if get("floppy", "fileType") == "file" {
				v.Backing = &types.VirtualFloppyImageBackingInfo{VirtualDeviceFileBackingInfo: vc.fileBacking(dc, at.absolute(get("floppy", "fileName")))}
			}
			out = append(out, &types.VirtualFloppy{VirtualDevice: v})
		}
		if strings.EqualFold(get("serial", "present"), "TRUE") {
			v := base("serial", serialKey, sioKey)
			v.Connectable, v.Backing = connect("serial"), &types.VirtualSerialPortDeviceBackingInfo{VirtualDeviceDeviceBackingInfo: device(get("serial", "fileName"))}
			out = append(out, &types.VirtualSerialPort{VirtualDevice: v, YieldOnPoll: true})
		}
		if strings.EqualFold(get("parallel", "present"), "TRUE") {
			v := base("parallel", parallelKey, sioKey)
			v.Connectable, v.Backing = connect("parallel"), &types.VirtualParallelPortDeviceBackingInfo{VirtualDeviceDeviceBackingInfo: device(get("parallel", "fileName"))}
			out = append(out, &types.VirtualParallelPort{VirtualDevice: v})
		}
		if name := d.Get(fmt.Sprintf("usb.autoConnect.device%d", n)); name != "" {
			v := types.VirtualDevice{Key: usbKey + n, ControllerKey: usbControllerKey, UnitNumber: types.NewInt32(n), Backing: &types.VirtualUSBUSBBackingInfo{VirtualDeviceDeviceBackingInfo: device(name)}}
			out = append(out, &types.VirtualUSB{VirtualDevice: v})
		}
	}
	for n := range int32(16) {
		if d.True(fmt.Sprintf("pciPassthru%d.present", n)) {
			out = append(out, vc.readDirect(dc, d, n))
		}
	}
	if d.True("usb.present") {
		out = append(out, &types.VirtualUSBController{VirtualController: types.VirtualController{VirtualDevice: types.VirtualDevice{Key: usbControllerKey, ControllerKey: pciKey, UnitNumber: types.NewInt32(22)}}})
	}
	if d.True("vtpm.present") {
		out = append(out, &types.VirtualTPM{VirtualDevice: types.VirtualDevice{Key: trustedKey}})
	}
	return out
}

func device(name string) types.VirtualDeviceDeviceBackingInfo {
	return types.VirtualDeviceDeviceBackingInfo{DeviceName: name, UseAutoDetect: types.NewBool(false)}
}

// readDirect builds a device of the host's PCI bus: a whole one, a virtual function of a NIC, or a share of a graphics card.
func (vc *VC) readDirect(dc *simulator.Datacenter, d *vmx.Dictionary, n int32) types.BaseVirtualDevice {
	get := func(k string) string { return d.Get(fmt.Sprintf("pciPassthru%d.%s", n, k)) }
	v := types.VirtualDevice{Key: passthroughKey + n, ControllerKey: pciKey, UnitNumber: types.NewInt32(32 + n)}
	pci := func(id string) *types.VirtualPCIPassthroughDeviceBackingInfo {
		return &types.VirtualPCIPassthroughDeviceBackingInfo{
			VirtualDeviceDeviceBackingInfo: device(get("deviceName")), Id: id, DeviceId: get("deviceId"), SystemId: get("systemId"),
			VendorId: int16(d.Int(fmt.Sprintf("pciPassthru%d.vendorId", n), 0)),
		}
	}
	switch {
	case get("vgpu") != "":
		v.Backing = &types.VirtualPCIPassthroughVmiopBackingInfo{Vgpu: get("vgpu")}
	case get("pfId") != "":
		v.Connectable = &types.VirtualDeviceConnectInfo{StartConnected: true, AllowGuestControl: true, Status: "untried"}
		b := &types.VirtualEthernetCardNetworkBackingInfo{VirtualDeviceDeviceBackingInfo: device(get("networkName"))}
		if ref, ok := vc.networkNamed(dc, b.DeviceName); ok {
			b.Network = &ref
		}
		v.Backing = b
		return &types.VirtualSriovEthernetCard{
			VirtualEthernetCard: types.VirtualEthernetCard{VirtualDevice: v, AddressType: translate(addressTypes, 1, 0, get("MACAddressType")), MacAddress: get("MACAddress")},
			SriovBacking:        &types.VirtualSriovEthernetCardSriovBackingInfo{PhysicalFunctionBacking: pci(get("pfId")), VirtualFunctionBacking: pci(get("id"))},
		}
	default:
		v.Backing = pci(get("id"))
	}
	return &types.VirtualPCIPassthrough{VirtualDevice: v}
}

// encodePeripheral writes such a device; it returns false for one of another kind. direct counts the devices of the PCI bus.
func encodePeripheral(d *vmx.Dictionary, x types.BaseVirtualDevice, at, file place, direct *int) bool {
	v := x.GetVirtualDevice()
	port := func(kind string, key int32, fileType, name string) {
		p := fmt.Sprintf("%s%d.", kind, v.Key-key)
		d.Set(p+"present", "TRUE")
		d.Set(p+"fileType", fileType)
		d.Set(p+"fileName", name)
		d.SetBool(p+"startConnected", v.Connectable == nil || v.Connectable.StartConnected)
	}
	switch y := x.(type) {
	case *types.VirtualFloppy:
		switch b := v.Backing.(type) {
		case *types.VirtualFloppyImageBackingInfo:
			port("floppy", floppyKey, "file", at.relative(file))
		case *types.VirtualFloppyDeviceBackingInfo:
			port("floppy", floppyKey, "device", b.DeviceName)
		}
	case *types.VirtualSerialPort:
		if b, ok := v.Backing.(*types.VirtualSerialPortDeviceBackingInfo); ok {
			port("serial", serialKey, "device", b.DeviceName)
		}
	case *types.VirtualParallelPort:
		if b, ok := v.Backing.(*types.VirtualParallelPortDeviceBackingInfo); ok {
			port("parallel", parallelKey, "device", b.DeviceName)
		}
	case *types.VirtualUSBController:
		d.Set("usb.present", "TRUE")
	case *types.VirtualUSB:
		d.Setf(v.Backing.(*types.VirtualUSBUSBBackingInfo).DeviceName, "usb.autoConnect.device%d", v.Key-usbKey)
	case *types.VirtualTPM:
		d.Set("vtpm.present", "TRUE")
	case *types.VirtualSriovEthernetCard, *types.VirtualPCIPassthrough:
		encodeDirect(d, fmt.Sprintf("pciPassthru%d.", *direct), y)
		*direct++
	default:
		return false
	}
	return true
}

func encodeDirect(d *vmx.Dictionary, p string, x types.BaseVirtualDevice) {
	d.Set(p+"present", "TRUE")
	pci := func(b *types.VirtualPCIPassthroughDeviceBackingInfo) {
		d.Set(p+"id", b.Id)
		d.Set(p+"deviceId", b.DeviceId)
		d.Setf(fmt.Sprint(b.VendorId), "%svendorId", p)
		d.Set(p+"systemId", b.SystemId)
		d.Set(p+"deviceName", b.DeviceName)
	}
	if c, ok := x.(*types.VirtualSriovEthernetCard); ok {
		if c.SriovBacking != nil && c.SriovBacking.VirtualFunctionBacking != nil && c.SriovBacking.PhysicalFunctionBacking != nil {
			pci(c.SriovBacking.VirtualFunctionBacking)
			d.Set(p+"pfId", c.SriovBacking.PhysicalFunctionBacking.Id)
		}
		if b, ok := c.Backing.(*types.VirtualEthernetCardNetworkBackingInfo); ok {
			d.Set(p+"networkName", b.DeviceName)
		}
		d.Set(p+"MACAddressType", translate(addressTypes, 0, 1, c.AddressType))
		d.Set(p+"MACAddress", c.MacAddress)
		return
	}
	switch b := x.GetVirtualDevice().Backing.(type) {
	case *types.VirtualPCIPassthroughVmiopBackingInfo:
		d.Set(p+"virtualDev", "vmiop")
		d.Set(p+"vgpu", b.Vgpu)
	case *types.VirtualPCIPassthroughDeviceBackingInfo:
		pci(b)
	}
}

// labelOf is the name of such a device, and what it is connected to; "" for one of another kind.
func labelOf(x types.BaseVirtualDevice, n func(kind string) int) (label, summary string) {
	backing := ""
	switch b := x.GetVirtualDevice().Backing.(type) {
	case *types.VirtualFloppyImageBackingInfo:
		backing = "Image " + b.FileName
	case types.BaseVirtualDeviceDeviceBackingInfo:
		backing = b.GetVirtualDeviceDeviceBackingInfo().DeviceName
	case *types.VirtualPCIPassthroughVmiopBackingInfo:
		backing = "NVIDIA GRID vGPU " + b.Vgpu
	}
	for _, k := range []struct {
		is   bool
		name string
		from int
	}{
		{is[*types.VirtualFloppy](x), "Floppy drive", 1}, {is[*types.VirtualSerialPort](x), "Serial port", 1}, {is[*types.VirtualParallelPort](x), "Parallel port", 1},
		{is[*types.VirtualUSB](x), "USB", 1}, {is[*types.VirtualUSBController](x), "USB controller", 0}, {is[*types.VirtualPCIPassthrough](x), "PCI device", 0},
		{is[*types.VirtualSriovEthernetCard](x), "SR-IOV network adapter", 1}, {is[*types.VirtualTPM](x), "Virtual TPM", 0},
	} {
		if k.is {
			i := n(k.name) + k.from
			if label = fmt.Sprintf("%s %d", k.name, i); k.name == "USB controller" || k.name == "Virtual TPM" {
				label = k.name
			}
			return label, backing
		}
	}
	return "", ""
}

func is[T types.BaseVirtualDevice](x types.BaseVirtualDevice) bool { _, ok := x.(T); return ok }
