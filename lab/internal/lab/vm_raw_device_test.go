package lab

import (
	"os"
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

func TestTheDataOfARawDeviceIsNotReadAsADescriptor(t *testing.T) {
	r := start(t, func(*scenario.Scenario) {})
	at := place{r.source.vc.volumeOf(r.datastore(r.source, "old-fc-02")).uuid, "raw-rdmp.vmdk"}
	if err := os.WriteFile(r.Lab().on(at), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(r.Lab().on(at), 100<<30); err != nil {
		t.Fatal(err)
	}
	if _, f := r.Lab().readDisk(at); f == nil {
		t.Error("100 GiB were taken for a descriptor")
	}
}
