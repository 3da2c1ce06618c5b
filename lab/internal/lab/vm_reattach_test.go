package lab

import (
	"context"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/vmx"
)

// TestReattach moves VMs that differ from the old site to the new one and one of them back: what their files hold survives, and
// what only the old vCenter knew does not.
func TestReattach(t *testing.T) {
	r := start(t, nil)
	cluster, folder := r.build()
	ctx := context.Background()
	pool, err := cluster.ResourcePool(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"app01", "web01", "db01", "mail01", "appliance01", "archive01", "ci01"} {
		before := r.state("source", name)
		vm := r.machine(r.source, name)
		if before.Power == "poweredOn" {
			r.off(vm)
		}
		if err := vm.Unregister(ctx); err != nil {
			t.Fatal(err)
		}
		if u := r.Lab().State().Unregistered; len(u) != 1 || u[0] != before.VMX {
			t.Errorf("unregistered: %v, want %s", u, before.VMX)
		}
		r.ok(folder.RegisterVM(ctx, before.VMX, "", false, pool, nil))
		moved := r.machine(r.target, name)
		after := r.state("target", name)
		compare(t, &before, &after)
		if len(after.CustomAttributes) > 0 || after.Folder != "" || after.Pool != "" {
			t.Errorf("%s: what belongs to the old vCenter came along: %+v", name, after)
		}
		if before.Power != "poweredOn" {
			continue
		}
		r.remap(moved)
		task, err := moved.PowerOn(ctx)
		r.answer(moved, answerMoved)
		r.ok(task, err)
		after = r.state("target", name)
		if !same(before.MACs, after.MACs) || before.BIOSUUID != after.BIOSUUID {
			t.Errorf("%s: 'moved' changed its identity: %+v", name, after)
		}
		if name != "appliance01" {
			r.eventually(name+" boots", func() bool { return r.state("target", name).Tools == "guestToolsRunning" })
		}
	}
	back(r)
	r.clean()
}

// compare checks what a VM's files hold.
func compare(t *testing.T, a, b *VMState) {
	t.Helper()
	type held struct {
		name, instance, bios, guest, hardware, notes, vmx string
		cpus, memory                                      int32
		template                                          bool
	}
	of := func(s *VMState) held {
		return held{s.Name, s.InstanceUUID, s.BIOSUUID, s.Guest, s.Hardware, s.Notes, s.VMX, s.CPUs, s.MemoryMB, s.Template}
	}
	if of(a) != of(b) {
		t.Errorf("%s: before %+v\nafter %+v", a.Name, of(a), of(b))
	}
	if len(a.Disks) != len(b.Disks) || !same(a.MACs, b.MACs) || !same(a.Snapshots, b.Snapshots) || len(a.NICs) != len(b.NICs) {
		t.Errorf("%s: before %+v\nafter %+v", a.Name, a, b)
	}
	for i := range a.Disks {
		if a.Disks[i] != b.Disks[i] {
			t.Errorf("%s: disk %d was %+v and is %+v", a.Name, i, a.Disks[i], b.Disks[i])
		}
	}
	for i := range a.NICs {
		if a.NICs[i] != b.NICs[i] {
			t.Errorf("%s: NIC %d was %+v and is %+v", a.Name, i, a.NICs[i], b.NICs[i])
		}
	}
	for k, v := range a.ExtraConfig {
		if b.ExtraConfig[k] != v {
			t.Errorf("%s: extra config %s was %q and is %q", a.Name, k, v, b.ExtraConfig[k])
		}
	}
}

// remap connects every NIC to the network that a fresh host has.
func (r *running) remap(vm *object.VirtualMachine) {
	r.t.Helper()
	ctx := context.Background()
	devices, err := vm.Device(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	var change []types.BaseVirtualDeviceConfigSpec
	for _, d := range devices.SelectByType((*types.VirtualEthernetCard)(nil)) {
		d.GetVirtualDevice().Backing = &types.VirtualEthernetCardNetworkBackingInfo{VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: "VM Network"}}
		change = append(change, &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationEdit, Device: d})
	}
	r.ok(vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{DeviceChange: change}))
}

// back moves app01 to the new array while it runs, and from there to the old site again.
func back(r *running) {
	ctx, t := context.Background(), r.t
	vm := r.machine(r.target, "app01")
	ds, old := r.datastore(r.target, "new-1"), r.datastore(r.target, "old-fc-01")
	r.ok(vm.Relocate(ctx, types.VirtualMachineRelocateSpec{Datastore: &ds}, types.VirtualMachineMovePriorityDefaultPriority))
	s := r.state("target", "app01")
	if s.VMX != "[new-1] app01/app01.vmx" || s.Disks[0].Path != "[new-1] app01/app01.vmdk" || s.Power != "poweredOn" {
		t.Errorf("after Storage vMotion: %+v", s)
	}
	if left := r.Lab().entries(place{r.target.vc.volumeOf(old).uuid, "app01"}); len(left) > 0 {
		t.Errorf("left behind on the old array: %v", left)
	}
	r.ok(vm.Relocate(ctx, types.VirtualMachineRelocateSpec{Datastore: &old}, types.VirtualMachineMovePriorityDefaultPriority))
	r.off(vm)
	before := r.state("target", "app01")
	if err := vm.Unregister(ctx); err != nil {
		t.Fatal(err)
	}
	pool, err := r.source.finder.ResourcePool(ctx, "prod6/Resources")
	if err != nil {
		t.Fatal(err)
	}
	folder, err := r.source.finder.Folder(ctx, "apps")
	if err != nil {
		t.Fatal(err)
	}
	r.ok(folder.RegisterVM(ctx, before.VMX, "", false, pool, nil))
	after := r.state("source", "app01")
	compare(t, &before, &after)
	if after.Folder != "apps" {
		t.Errorf("folder %q", after.Folder)
	}
	home := r.machine(r.source, "app01")
	task, err := home.PowerOn(ctx)
	r.answer(home, answerMoved)
	r.ok(task, err)
}

func TestTheVMXFileIsReadableAndWins(t *testing.T) {
	r := start(t, nil)
	ctx := context.Background()
	vm := r.machine(r.source, "test02")
	r.ok(vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{
		Annotation:  "a \"quoted\" note\nwith 日本語 and a | bar",
		ExtraConfig: []types.BaseOptionValue{&types.OptionValue{Key: "esxodus.papers", Value: `{"folder":"x|y"}`}, &types.OptionValue{Key: "guestinfo.none", Value: ""}},
	}))
	m := r.source.vc.machines.get(vm.Reference())
	file := r.Lab().on(m.place())
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`annotation = "a |22quoted|22 note|0Awith 日本語 and a |7C bar"`, `esxodus.papers = "{|22folder|22:|22x|7Cy|22}"`, `displayName = "test02"`,
		`guestOS = "ubuntu-64"`, `virtualHW.version = "11"`, `scsi0:0.fileName = "test02.vmdk"`, `ethernet0.networkName = "VM Network"`, `ethernet0.addressType = "vpx"`,
	} {
		if !strings.Contains(string(text), want+"\n") {
			t.Errorf("the .vmx lacks %s:\n%s", want, text)
		}
	}
	if err := vm.Unregister(ctx); err != nil {
		t.Fatal(err)
	}
	d, err := vmx.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	d.Set("displayName", "edited")
	d.Set("memSize", "2048")
	d.Set("ethernet0.generatedAddress", "00:50:56:99:99:99")
	if err := os.WriteFile(file, d.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	folder, err := r.source.finder.Folder(ctx, "apps")
	if err != nil {
		t.Fatal(err)
	}
	pool, err := r.source.finder.ResourcePool(ctx, "prod6/Resources")
	if err != nil {
		t.Fatal(err)
	}
	dsPath := "[old-fc-04] " + path.Join("test02", "test02.vmx")
	r.ok(folder.RegisterVM(ctx, dsPath, "", false, pool, nil))
	s := r.state("source", "edited")
	if s.MemoryMB != 2048 || s.MACs[0] != "00:50:56:99:99:99" || s.Notes != "a \"quoted\" note\nwith 日本語 and a | bar" || s.ExtraConfig["esxodus.papers"] != `{"folder":"x|y"}` {
		t.Errorf("%+v", s)
	}
	task, err := r.machine(r.source, "edited").PowerOn(ctx) // the same place: no question
	r.ok(task, err)
	r.clean()
}
