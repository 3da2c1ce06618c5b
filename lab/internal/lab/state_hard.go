package lab

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// HardState is what makes a VM hard to move.
type HardState struct {
	Devices         []string `json:"devices"` // labels of those beside disks, NICs and controllers
	VApp            string   `json:"vApp"`
	FaultTolerance  string   `json:"faultTolerance"` // runtime.faultToleranceState
	EVC             string   `json:"evc"`            // runtime.minRequiredEVCModeKey
	Key             string   `json:"key"`            // of an encrypted VM
	DisabledMethods []string `json:"disabledMethods"`
	Consolidation   bool     `json:"consolidationNeeded"`
	ToolsInstaller  bool     `json:"toolsInstaller"`
	Connection      string   `json:"connection"` // runtime.connectionState
}

func (vc *VC) hardState(m *machine) HardState {
	s := HardState{Devices: []string{}, DisabledMethods: []string{}, EVC: m.needs()}
	var app *types.ManagedObjectReference
	m.read(func(vm *simulator.VirtualMachine) {
		app, s.FaultTolerance = vm.ParentVApp, string(vm.Runtime.FaultToleranceState)
		s.Consolidation, s.ToolsInstaller = vm.Runtime.ConsolidationNeeded, vm.Runtime.ToolsInstallerMounted
		s.Connection = string(vm.Runtime.ConnectionState)
		s.DisabledMethods = append(s.DisabledMethods, vm.DisabledMethod...)
		if vm.Config.KeyId != nil {
			s.Key = vm.Config.KeyId.KeyId
		}
		for _, x := range vm.Config.Hardware.Device {
			if text, _ := labelOf(x, func(string) int { return 0 }); text != "" || is[*types.VirtualCdrom](x) {
				s.Devices = append(s.Devices, deviceLabel(x))
			}
		}
	})
	if app != nil {
		if a, ok := vc.Map().Get(*app).(mo.Entity); ok {
			s.VApp = vc.entityName(a)
		}
	}
	return s
}

// at is where the running layer of a VM's disk lies.
func (vc *VC) at(m *machine, disk *types.VirtualDisk) place {
	p, _ := vc.placeOf(m.datacenter(), disk)
	return p
}
