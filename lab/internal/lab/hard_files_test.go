package lab

import (
	"context"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// edit changes VMs of the default scenario by name.
func edit(change map[string]func(*scenario.VM)) func(*scenario.Scenario) {
	return func(sc *scenario.Scenario) {
		for i := range sc.VMs {
			if f := change[sc.VMs[i].Name]; f != nil {
				f(&sc.VMs[i])
			}
		}
	}
}

// again takes a VM out of the inventory and registers it where it was.
func (r *running) again(name string) *object.VirtualMachine {
	r.t.Helper()
	ctx := context.Background()
	s := r.state("source", name)
	vm := r.machine(r.source, name)
	p := r.props(vm, "resourcePool")
	if err := vm.Unregister(ctx); err != nil {
		r.t.Fatal(err)
	}
	folders, err := r.source.finder.DefaultFolder(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	host := r.host(r.source, s.Host)
	r.ok(folders.RegisterVM(ctx, s.VMX, "", false, object.NewResourcePool(r.source.Client.Client, *p.ResourcePool), host))
	return r.machine(r.source, name)
}

func TestWhatTheFilesCarry(t *testing.T) {
	r := start(t, edit(map[string]func(*scenario.VM){
		"test02": func(vm *scenario.VM) {
			vm.ISO, vm.Floppy = "[old-fc-01] iso/setup.iso", "[old-fc-01] iso/driver.flp"
			vm.Devices = []string{"passthrough", "sriov", "vgpu", "usb", "serial", "parallel"}
			vm.Reservation, vm.Limits = scenario.Reservation{CPU: 500, MemoryLocked: true}, scenario.Limits{CPU: 4000}
			vm.CPUAffinity, vm.MemoryAffinity, vm.NUMAAffinity, vm.LatencySensitivity = []int{0, 1}, []int{0}, "0", "high"
			vm.CBT, vm.BIOS = true, "42000000-0000-0000-0000-000000000001"
			vm.NICs[0].MAC = "00:50:56:00:00:01"
			vm.Disks[0].Sharing = "multiWriter"
		},
	}))
	show := func(vm *object.VirtualMachine) (labels []string, c *types.VirtualMachineConfigInfo) {
		c = r.props(vm, "config").Config
		for _, x := range c.Hardware.Device {
			if d := x.GetVirtualDevice().DeviceInfo; d != nil {
				labels = append(labels, d.GetDescription().Label+"|"+d.GetDescription().Summary)
			}
		}
		return labels, c
	}
	before, _ := show(r.machine(r.source, "test02"))
	vm := r.again("test02")
	after, c := show(vm)
	if !same(before, after) {
		t.Errorf("devices before %v\nafter %v", before, after)
	}
	for _, want := range []string{
		"CD/DVD drive 1|ISO [old-fc-01] iso/setup.iso", "Floppy drive 1|Image [old-fc-01] iso/driver.flp", "Serial port 1|/dev/char/serial/uart0",
		"Parallel port 1|/dev/parport0", "PCI device 0|Ethernet Controller X540-AT2", "PCI device 1|NVIDIA GRID vGPU grid_m60-2q", "SR-IOV network adapter 1|VM Network",
	} {
		if !strings.Contains(strings.Join(after, "\n")+"\n", want+"\n") {
			t.Errorf("no %s in %v", want, after)
		}
	}
	if c.CpuAffinity == nil || len(c.CpuAffinity.AffinitySet) != 2 || c.MemoryAffinity == nil || extra(c, "numa.nodeAffinity") != "0" ||
		c.LatencySensitivity.Level != types.LatencySensitivitySensitivityLevelHigh || !isTrue(c.ChangeTrackingEnabled) || !isTrue(c.MemoryReservationLockedToMax) ||
		*c.MemoryAllocation.Reservation != int64(c.Hardware.MemoryMB) || *c.CpuAllocation.Reservation != 500 || *c.CpuAllocation.Limit != 4000 {
		t.Errorf("%+v", c)
	}
	s := r.state("source", "test02")
	if s.BIOSUUID != "42000000-0000-0000-0000-000000000001" || !s.NICs[0].Static || s.MACs[0] != "00:50:56:00:00:01" || s.Disks[0].Sharing != "sharingMultiWriter" {
		t.Errorf("%+v", s)
	}
	r.ok(vm.PowerOn(context.Background()))
	fails[*types.AffinityConfigured](r)(vm.Relocate(context.Background(), r.toHost("esx60-1.lab"), normal))
	r.clean()
}

func TestSuspended(t *testing.T) {
	r := start(t, edit(map[string]func(*scenario.VM){"test01": func(vm *scenario.VM) { vm.Power = "suspended" }}))
	ctx := context.Background()
	vm := r.again("test01")
	if s := r.state("source", "test01"); s.Power != "suspended" || s.EVC != "intel-ivybridge" {
		t.Errorf("registered again: %+v", s)
	}
	r.ok(vm.Relocate(ctx, r.toDatastore("old-fc-01"), normal)) // its memory goes along
	vm = r.again("test01")
	r.ok(vm.PowerOn(ctx))
	if s := r.state("source", "test01"); s.Power != "poweredOn" || s.Tools != "guestToolsRunning" {
		t.Errorf("resumed: %+v", s)
	}
	r.ok(vm.Suspend(ctx))
	if err := os.Remove(r.Lab().on(r.source.vc.machines.get(vm.Reference()).suspendFile())); err != nil {
		t.Fatal(err)
	}
	if r.again("test01"); r.state("source", "test01").Power != "poweredOff" {
		t.Errorf("its memory is lost, and it is still suspended")
	}
	r.clean()
}

func TestLinkedClone(t *testing.T) {
	r := blocked(t)
	ctx := context.Background()
	vm, parent := r.machine(r.source, "linked-clone01"), r.machine(r.source, "clone-parent01")
	r.ok(parent.PowerOn(ctx)) // both read the layer that the snapshot froze
	fails[*types.FileLocked](r)(parent.RemoveAllSnapshot(ctx, nil))
	before := r.state("source", "clone-parent01")
	r.ok(vm.Relocate(ctx, r.toDatastore("old-stays"), normal))
	s := r.state("source", "linked-clone01")
	if d := s.Disks[0]; d.Linked || d.Path != "[old-stays] linked-clone01/linked-clone01.vmdk" || d.Size != 10<<30 {
		t.Errorf("not full: %+v", d)
	}
	if after := r.state("source", "clone-parent01"); after.Disks[0] != before.Disks[0] {
		t.Errorf("the parent changed: %+v", after)
	}
	for _, m := range r.source.vc.machines.all() {
		if m.name() == "linked-clone01" {
			disks, f := r.source.vc.disks(m.datacenter(), m.config())
			if f != nil || len(disks[scsiDiskKey]) != 1 || disks[scsiDiskKey][0].used() != 2*gib { // 1 GiB of each
				t.Errorf("%+v %v", disks, f)
			}
		}
	}
	r.off(vm)
	vm = r.again("linked-clone01")
	r.ok(vm.PowerOn(ctx))
	r.ok(parent.RemoveAllSnapshot(ctx, nil))
	r.clean()
}

func TestConsolidation(t *testing.T) {
	r := start(t, edit(map[string]func(*scenario.VM){
		"db01":   func(vm *scenario.VM) { vm.ConsolidationNeeded = true },
		"test02": func(vm *scenario.VM) { vm.ConsolidationNeeded = true },
	}))
	ctx := context.Background()
	if !r.state("source", "db01").Consolidation || r.state("source", "app01").Consolidation {
		t.Fatal("not seen")
	}
	r.again("test02")
	if s := r.state("source", "test02"); !s.Consolidation || !strings.Contains(s.Disks[0].Path, "-000001.vmdk") {
		t.Errorf("forgotten by a register: %+v", s)
	}
	vm := r.machine(r.source, "db01")
	r.ok(vm.Relocate(ctx, r.toDatastore("old-fc-02"), normal))
	if !r.state("source", "db01").Consolidation {
		t.Error("forgotten by a relocation")
	}
	res, err := methods.ConsolidateVMDisks_Task(ctx, r.source.Client.Client, &types.ConsolidateVMDisks_Task{This: vm.Reference()})
	if err != nil {
		t.Fatal(err)
	}
	r.ok(object.NewTask(r.source.Client.Client, res.Returnval), nil)
	if s := r.state("source", "db01"); s.Consolidation || s.Disks[2].Path != "[old-fc-02] db01/db01_2.vmdk" {
		t.Errorf("after consolidation: %+v", s)
	}
	r.ok(vm.CreateSnapshot(ctx, "s", "", false, false))
	if r.state("source", "db01").Consolidation {
		t.Error("a snapshot of its own needs no consolidation")
	}
	r.clean()
}

func TestDrivesAndVMotion(t *testing.T) {
	r := start(t, edit(map[string]func(*scenario.VM){
		"app01":    func(vm *scenario.VM) { vm.CDROM, vm.EVC = "client", "intel-nehalem" },
		"web01":    func(vm *scenario.VM) { vm.CDROM = "host" },
		"legacy01": func(vm *scenario.VM) { vm.ISO, vm.Devices = "[old-fc-01] iso/tools.iso", []string{"serial"} },
	}))
	ctx := context.Background()
	if s := r.state("source", "app01"); s.EVC != "intel-nehalem" {
		t.Errorf("%+v", s)
	}
	for name, want := range map[string]string{"app01": "RemoteDeviceNotSupported", "web01": "CannotAccessVmDevice", "legacy01": "CannotAccessVmDevice"} {
		vm := r.machine(r.source, name)
		f := fails[*types.DisallowedMigrationDeviceAttached](r)(vm.Relocate(ctx, r.toHost("esx60-2.lab"), normal))
		if got := reflect.TypeOf(f.Fault.Fault).Elem().Name(); got != want {
			t.Errorf("%s: %s, not %s", name, got, want)
		}
		r.ok(vm.Relocate(ctx, r.toDatastore("old-fc-04"), normal)) // its host stays
		devices, err := vm.Device(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var change []types.BaseVirtualDeviceConfigSpec
		for _, d := range devices {
			switch d.(type) {
			case *types.VirtualCdrom, *types.VirtualSerialPort:
				if name == "legacy01" && is[*types.VirtualCdrom](d) {
					continue // every host has the volume of the image
				}
				d.GetVirtualDevice().Connectable.Connected, d.GetVirtualDevice().Connectable.StartConnected = false, false
				change = append(change, &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationEdit, Device: d})
			}
		}
		r.ok(vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{DeviceChange: change}))
		r.ok(vm.Relocate(ctx, r.toHost("esx60-2.lab"), normal))
	}
	r.clean()
}
