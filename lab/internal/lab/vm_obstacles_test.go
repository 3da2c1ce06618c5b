package lab

import (
	"context"
	"slices"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// blocked serves the scenario of VMs that cannot be moved as they are.
func blocked(t *testing.T) *running {
	t.Helper()
	return start(t, func(sc *scenario.Scenario) {
		x, err := scenario.Load("../../../tests/scenarios/blocked.yaml")
		if err != nil {
			t.Fatal(err)
		}
		*sc = *x
		sc.Timescale = 5000
	})
}

func (r *running) toHost(host string) types.VirtualMachineRelocateSpec {
	h := r.host(r.source, host).Reference()
	return types.VirtualMachineRelocateSpec{Host: &h}
}

func (r *running) toDatastore(name string) types.VirtualMachineRelocateSpec {
	ds := r.datastore(r.source, name)
	return types.VirtualMachineRelocateSpec{Datastore: &ds}
}

func TestWhatBlocksIsSeen(t *testing.T) {
	r := blocked(t)
	vms := r.Lab().State().VCenters["source"].VMs
	for name, seen := range map[string]bool{
		"suspended01":      vms["suspended01"].Power == "suspended",
		"question01":       vms["question01"].Question == standingMessage,
		"vapp01":           vms["vapp01"].VApp == "shop" && vms["vapp01"].Pool == "production" && vms["vapp01"].Folder == "",
		"passthrough01":    slices.Contains(vms["passthrough01"].Devices, "PCI device 0"),
		"vgpu01":           slices.Contains(vms["vgpu01"].Devices, "PCI device 0"),
		"sriov01":          slices.Contains(vms["sriov01"].Devices, "SR-IOV network adapter 1") && len(vms["sriov01"].NICs) == 2,
		"usb01":            slices.Contains(vms["usb01"].Devices, "USB 1"),
		"serial01":         slices.Contains(vms["serial01"].Devices, "Serial port 1"),
		"fault-tolerant01": vms["fault-tolerant01"].FaultTolerance == "running",
		"backup-lock01":    slices.Contains(vms["backup-lock01"].DisabledMethods, "RelocateVM_Task"),
		"tools-install01":  vms["tools-install01"].ToolsInstaller,
		"linked-clone01":   vms["linked-clone01"].Disks[0].Linked && !vms["linked-clone01"].Consolidation,
		"multi-writer01":   vms["multi-writer01"].Disks[1].Sharing == "sharingMultiWriter",
		"orphan01":         vms["orphan01"].Connection == "orphaned",
		"rdm-virtual01":    vms["rdm-virtual01"].Disks[1].RDM == "virtualMode",
	} {
		if !seen {
			t.Errorf("%s: %+v", name, vms[name])
		}
	}
	if p := r.props(r.machine(r.source, "vapp01"), "parent", "parentVApp"); p.Parent != nil || p.ParentVApp == nil || p.ParentVApp.Type != "VirtualApp" {
		t.Errorf("vapp01: %v %v", p.Parent, p.ParentVApp)
	}
	shared := object.VirtualDeviceList(r.props(r.machine(r.source, "shared-bus01"), "config.hardware.device").Config.Hardware.Device)
	buses := shared.SelectByType((*types.VirtualSCSIController)(nil))
	if len(buses) != 2 || buses[1].(types.BaseVirtualSCSIController).GetVirtualSCSIController().SharedBus != types.VirtualSCSISharingPhysicalSharing {
		t.Errorf("shared-bus01: %+v", buses)
	}
	r.clean()
}

func TestWhatBlocksIsRefused(t *testing.T) {
	r := blocked(t)
	ctx := context.Background()
	relocate := func(name string, spec types.VirtualMachineRelocateSpec) (*object.Task, error) {
		return r.machine(r.source, name).Relocate(ctx, spec, normal)
	}
	away, files := r.toHost("esx60-2.lab"), r.toDatastore("old-stays")
	device := func(name string, spec types.VirtualMachineRelocateSpec) types.BaseMethodFault {
		t.Helper()
		return fails[*types.DisallowedMigrationDeviceAttached](r)(relocate(name, spec)).Fault.Fault
	}
	if _, ok := device("multi-writer01", files).(*types.MultiWriterNotSupported); !ok {
		t.Error("multi-writer01: another reason")
	}
	if _, ok := device("shared-bus01", away).(*types.SharedBusControllerNotSupported); !ok {
		t.Error("shared-bus01: another reason")
	}
	fails[*types.IndependentDiskVMotionNotSupported](r)(relocate("independent01", files))
	for _, name := range []string{"passthrough01", "vgpu01", "usb01"} {
		if _, ok := device(name, away).(*types.DeviceNotSupported); !ok {
			t.Errorf("%s: another reason", name)
		}
	}
	device("serial01", away)
	fails[*types.NotSupported](r)(relocate("rdm-physical01", files))
	fails[*types.ToolsInstallationInProgress](r)(relocate("tools-install01", files))
	fails[*types.CannotMoveFaultToleranceVm](r)(relocate("fault-tolerant01", files))
	fails[*types.QuestionPending](r)(relocate("question01", files))
	fails[*types.FileLocked](r)(relocate("clone-parent01", files))
	for _, name := range []string{"multi-writer01", "shared-bus01", "passthrough01", "fault-tolerant01"} {
		fails[*types.NotSupported](r)(r.machine(r.source, name).CreateSnapshot(ctx, "s", "", false, false))
	}
	for _, name := range []string{"multi-writer01", "shared-bus01", "vgpu01", "fault-tolerant01"} {
		fails[*types.NotSupported](r)(r.machine(r.source, name).Suspend(ctx))
	}
	fails[*types.MemorySnapshotOnIndependentDisk](r)(r.machine(r.source, "independent01").CreateSnapshot(ctx, "s", "", true, false))
	_, err := relocate("backup-lock01", files)
	refused[*types.MethodDisabled](t, err)
	refused[*types.MethodDisabled](t, r.machine(r.source, "backup-lock01").Unregister(ctx))
	ft := r.machine(r.source, "fault-tolerant01")
	r.ok(ft.PowerOff(ctx))
	refused[*types.NotSupported](t, ft.Unregister(ctx))
	orphan := r.machine(r.source, "orphan01")
	fails[*types.InvalidState](r)(orphan.PowerOn(ctx))
	if err := orphan.Unregister(ctx); err != nil {
		t.Error(err)
	}
	// What does not stand in the way of a move is still possible.
	r.ok(relocate("multi-writer01", away))
	r.ok(relocate("plain01", files))
	r.ok(r.machine(r.source, "passthrough01").PowerOff(ctx))
	r.ok(relocate("passthrough01", away))
	fails[*types.DeviceNotSupported](r)(r.machine(r.source, "passthrough01").PowerOn(ctx))
	r.ok(relocate("passthrough01", r.toHost("esx60-1.lab")))
	r.ok(r.machine(r.source, "passthrough01").PowerOn(ctx))
	r.clean()
}
