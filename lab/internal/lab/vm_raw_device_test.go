package lab

import (
	"strings"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

func TestRawDeviceMappings(t *testing.T) {
	r := start(t, func(sc *scenario.Scenario) {
		for i := range sc.VMs {
			if sc.VMs[i].Name == "app01" {
				sc.VMs[i].Disks[0].RDM = "physical"
			}
		}
	})
	vm := r.machine(r.source, "app01")
	props := r.props(vm, "config.hardware.device")
	disks := object.VirtualDeviceList(props.Config.Hardware.Device).SelectByType(new(types.VirtualDisk))
	b, ok := disks[0].GetVirtualDevice().Backing.(*types.VirtualDiskRawDiskMappingVer1BackingInfo)
	if !ok || b.CompatibilityMode != string(types.VirtualDiskCompatibilityModePhysicalMode) || !strings.HasSuffix(b.FileName, "app01.vmdk") {
		t.Fatalf("backing: %+v", disks[0].GetVirtualDevice().Backing)
	}
	if f := r.do(vm.CreateSnapshot(t.Context(), "s", "", false, false)); f == nil {
		t.Error("a snapshot of it was taken")
	}
}
