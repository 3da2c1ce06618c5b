package lab

import (
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// An installation of VMware Tools is in progress while a running VM's CD drive is connected to an image of the host's own.

const (
	toolsImages = "/usr/lib/vmware/isoimages/"
	noDatastore = "[] " // how the API names a file of the host itself
)

func toolsImage(name string) *types.VirtualCdromIsoBackingInfo {
	return &types.VirtualCdromIsoBackingInfo{VirtualDeviceFileBackingInfo: types.VirtualDeviceFileBackingInfo{FileName: noDatastore + name}}
}

// installsTools reports whether a device is the drive with the installer.
func installsTools(x types.BaseVirtualDevice) bool {
	b, ok := x.GetVirtualDevice().Backing.(*types.VirtualCdromIsoBackingInfo)
	return ok && strings.HasPrefix(b.FileName, noDatastore+toolsImages)
}

func installerMounted(c *types.VirtualMachineConfigInfo) bool {
	return slices.ContainsFunc(c.Hardware.Device, func(x types.BaseVirtualDevice) bool {
		return installsTools(x) && x.GetVirtualDevice().Connectable != nil && x.GetVirtualDevice().Connectable.StartConnected
	})
}

// UnmountToolsInstaller ends an installation of VMware Tools: the drive becomes one of a client, not connected.
func (o *vmObject) UnmountToolsInstaller(req *types.UnmountToolsInstaller) soap.HasFault {
	body := new(methods.UnmountToolsInstallerBody)
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		body.Fault_ = gone
		return body
	}
	f := m.briefly(func() types.BaseMethodFault {
		if p := m.power(); p != on {
			return wrongPower(p, on)
		}
		c := *m.config()
		c.Hardware.Device = slices.Clone(c.Hardware.Device)
		for i, x := range c.Hardware.Device {
			if installsTools(x) {
				y := clone(x)
				v := y.GetVirtualDevice()
				v.Backing = &types.VirtualCdromRemotePassthroughBackingInfo{VirtualDeviceRemoteDeviceBackingInfo: types.VirtualDeviceRemoteDeviceBackingInfo{UseAutoDetect: types.NewBool(false)}}
				v.Connectable = &types.VirtualDeviceConnectInfo{AllowGuestControl: true, Status: string(types.VirtualDeviceConnectInfoStatusOk)}
				c.Hardware.Device[i] = y
			}
		}
		if f := m.replace(&c); f != nil {
			return f
		}
		m.edit(func(vm *simulator.VirtualMachine) {
			m.running(vm, true)
			vm.Summary.Runtime = vm.Runtime
		})
		return nil
	})
	if f != nil {
		body.Fault_ = fault(f)
		return body
	}
	body.Res = new(types.UnmountToolsInstallerResponse)
	return body
}
