package lab

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

const normal = types.VirtualMachineMovePriorityDefaultPriority

func TestRelocate(t *testing.T) {
	r := start(t, nil)
	ctx := context.Background()
	refs := func(h string) *types.ManagedObjectReference { x := r.host(r.source, h).Reference(); return &x }
	ds := func(n string) *types.ManagedObjectReference { x := r.datastore(r.source, n); return &x }

	db := r.machine(r.source, "db01")
	r.ok(db.Relocate(ctx, types.VirtualMachineRelocateSpec{Host: refs("esx60-1.lab")}, normal))
	if s := r.state("source", "db01"); s.Host != "esx60-1.lab" || s.Power != "poweredOn" || s.Clock.DownSeconds != 0 {
		t.Errorf("after vMotion: %+v", s)
	}
	// disk by disk: the third one goes to old-fc-01, the home and the others stay
	disks := r.state("source", "db01").Disks
	r.ok(db.Relocate(ctx, types.VirtualMachineRelocateSpec{Disk: []types.VirtualMachineRelocateSpecDiskLocator{{DiskId: 2002, Datastore: *ds("old-fc-01")}}}, normal))
	s := r.state("source", "db01")
	if s.VMX != "[old-fc-03] db01/db01.vmx" || s.Disks[0] != disks[0] || s.Disks[1] != disks[1] || s.Disks[2].Path != "[old-fc-01] db01/db01.vmdk" {
		t.Errorf("after moving one disk: %+v", s.Disks)
	}
	// everything to one place; names that are taken get a number
	r.ok(db.Relocate(ctx, types.VirtualMachineRelocateSpec{Datastore: ds("old-fc-02")}, normal))
	s = r.state("source", "db01")
	if s.VMX != "[old-fc-02] db01/db01.vmx" || s.Disks[0].Path != "[old-fc-02] db01/db01.vmdk" || s.Disks[1].Path != "[old-fc-02] db01/db01_1.vmdk" || s.Disks[2].Path != "[old-fc-02] db01/db01_2.vmdk" {
		t.Errorf("after moving all: %+v %s", s.Disks, s.VMX)
	}
	for _, name := range []string{"old-fc-01", "old-fc-03", "old-fc-04"} {
		if left := r.Lab().entries(place{r.source.vc.volumeOf(*ds(name)).uuid, "db01"}); len(left) > 0 {
			t.Errorf("left on %s: %v", name, left)
		}
	}
	// snapshots come along, and the new name shows in the files
	mail := r.machine(r.source, "mail01")
	r.ok(mail.Rename(ctx, "post01"))
	r.ok(mail.Relocate(ctx, types.VirtualMachineRelocateSpec{Datastore: ds("old-fc-04")}, normal))
	s = r.state("source", "post01")
	if s.VMX != "[old-fc-04] post01/post01.vmx" || s.Disks[0].Path != "[old-fc-04] post01/post01-000001.vmdk" || len(s.Snapshots) != 1 {
		t.Errorf("a VM with a snapshot: %+v", s)
	}
	r.ok(mail.RemoveAllSnapshot(ctx, nil))
	if s = r.state("source", "post01"); s.Disks[0].Path != "[old-fc-04] post01/post01.vmdk" || len(s.Snapshots) != 0 {
		t.Errorf("after removing the snapshot: %+v", s)
	}
	// a directory of that name is there: "web01_1"
	web, fc4 := r.machine(r.source, "web01"), r.source.vc.volumeOf(*ds("old-fc-04"))
	r.ok(r.machine(r.source, "web02").Relocate(ctx, types.VirtualMachineRelocateSpec{Datastore: ds("old-fc-04")}, normal))
	r.ok(r.machine(r.source, "web02").Rename(ctx, "web02x"))
	r.ok(web.Rename(ctx, "web02"))
	r.ok(web.Relocate(ctx, types.VirtualMachineRelocateSpec{Datastore: ds("old-fc-04")}, normal))
	if s = r.state("source", "web02"); s.VMX != "[old-fc-04] web02_1/web02.vmx" || s.Disks[0].Path != "[old-fc-04] web02_1/web02.vmdk" {
		t.Errorf("a taken name: %+v, %v", s, r.Lab().entries(place{fc4.uuid, "."}))
	}
	tmpl := r.machine(r.source, "tmpl-rhel6")
	r.ok(tmpl.Relocate(ctx, types.VirtualMachineRelocateSpec{Datastore: ds("old-fc-04"), Host: refs("esx60-2.lab")}, normal))
	if s = r.state("source", "tmpl-rhel6"); !s.Template || s.VMX != "[old-fc-04] tmpl-rhel6/tmpl-rhel6.vmtx" {
		t.Errorf("a template: %+v", s)
	}
	r.clean()
}

func TestRelocateIsRefused(t *testing.T) {
	r := start(t, nil)
	_, _ = r.build()
	ctx := context.Background()
	vm := r.machine(r.source, "app01")
	before := r.state("source", "app01")
	target := r.target.vc.InstanceUUID()
	fails[*types.NotSupported](r)(vm.Relocate(ctx, types.VirtualMachineRelocateSpec{Service: &types.ServiceLocator{InstanceUuid: target, Url: "https://x/sdk"}}, normal))
	fails[*types.ManagedObjectNotFound](r)(vm.Relocate(ctx, types.VirtualMachineRelocateSpec{Datastore: &types.ManagedObjectReference{Type: "Datastore", Value: "datastore-9999"}}, normal))
	key := types.VirtualMachineRelocateSpec{Disk: []types.VirtualMachineRelocateSpecDiskLocator{{DiskId: 1, Datastore: r.datastore(r.source, "old-fc-02")}}}
	fails[*types.InvalidArgument](r)(vm.Relocate(ctx, key, normal))
	if after := r.state("source", "app01"); after.VMX != before.VMX || after.Disks[0] != before.Disks[0] || after.Busy {
		t.Errorf("a refused relocation changed something: %+v", after)
	}
	r.clean()
}

func TestACancelledCopyLeavesNothing(t *testing.T) {
	r := start(t, func(sc *scenario.Scenario) { sc.Timescale = 10 })
	ctx := context.Background()
	vm, ds := r.machine(r.source, "test02"), r.datastore(r.source, "old-fc-02")
	task, err := vm.Relocate(ctx, types.VirtualMachineRelocateSpec{Datastore: &ds}, normal) // 5 GiB at 800 MB/s: 0.6 s
	if err != nil {
		t.Fatal(err)
	}
	r.eventually("progress", func() bool {
		tasks := r.Lab().State().VCenters["source"].Tasks
		return len(tasks) == 1 && tasks[0].Progress > 0 && tasks[0].Progress < 100
	})
	if err := task.Cancel(ctx); err != nil {
		t.Fatal(err)
	}
	fails[*types.RequestCanceled](r)(task, nil)
	if left := r.Lab().entries(place{r.source.vc.volumeOf(ds).uuid, "test02"}); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if s := r.state("source", "test02"); s.VMX != "[old-fc-04] test02/test02.vmx" {
		t.Errorf("%+v", s)
	}
	r.clean()
}

// TestManyAtOnce runs 64 operations at a time with readers beside them.
func TestManyAtOnce(t *testing.T) {
	r := start(t, func(sc *scenario.Scenario) {
		sc.Timescale = 50000
		model := sc.VMs[0]
		sc.VMs = nil
		for i := range 64 {
			vm := model
			vm.Name = "vm" + string(rune('a'+i/26)) + string(rune('a'+i%26))
			vm.Disks = []scenario.Disk{model.Disks[0]}
			vm.Disks[0].Datastore = []string{"old-fc-01", "old-fc-02", "old-fc-03"}[i%3]
			vm.Disks[0].Size, vm.Disks[0].Used = 10, 1
			sc.VMs = append(sc.VMs, vm)
		}
	})
	cluster, folder := r.build()
	ctx := context.Background()
	pool, err := cluster.ResourcePool(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ds := r.datastore(r.target, "new-1")
	stop := make(chan struct{})
	var readers, writers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					r.Lab().State()
					for _, m := range r.source.vc.machines.all() {
						vm := object.NewVirtualMachine(r.source.Client.Client, m.self)
						_, _ = vm.ObjectName(ctx)
						_, _ = vm.Device(ctx)
					}
				}
			}
		})
	}
	for _, m := range r.source.vc.machines.all() {
		vm := object.NewVirtualMachine(r.source.Client.Client, m.self)
		vmxPath, name := m.config().Files.VmPathName, m.name()
		writers.Go(func() {
			steps := []func() (*object.Task, error){
				func() (*object.Task, error) { return vm.PowerOff(ctx) },
				func() (*object.Task, error) { return nil, vm.Unregister(ctx) },
				func() (*object.Task, error) { return folder.RegisterVM(ctx, vmxPath, "", false, pool, nil) },
				func() (*object.Task, error) {
					for _, m := range r.target.vc.machines.all() {
						if m.name() == name {
							vm = object.NewVirtualMachine(r.target.Client.Client, m.self)
						}
					}
					return vm.Relocate(ctx, types.VirtualMachineRelocateSpec{Datastore: &ds}, normal)
				},
			}
			for i, step := range steps {
				task, err := step()
				if err == nil && task != nil {
					err = task.Wait(ctx)
				}
				if err != nil {
					t.Errorf("%s, step %d: %v", name, i, err)
					return
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	vms := r.Lab().State().VCenters["target"].VMs
	if len(vms) != 64 || len(r.Lab().State().VCenters["source"].VMs) != 0 || len(r.Lab().State().Unregistered) != 0 {
		t.Errorf("%d VMs arrived", len(vms))
	}
	for _, s := range vms {
		if s.VMX != "[new-1] "+s.Name+"/"+s.Name+".vmx" {
			t.Errorf("%s is at %s", s.Name, s.VMX)
		}
	}
	time.Sleep(10 * time.Millisecond)
	r.clean()
}
