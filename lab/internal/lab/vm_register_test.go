package lab

import (
	"context"
	"os"
	"testing"

	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/vmx"
)

func TestRegisterIsRefused(t *testing.T) {
	r := start(t, nil)
	cluster, folder := r.build()
	ctx := context.Background()
	pool, err := cluster.ResourcePool(ctx)
	if err != nil {
		t.Fatal(err)
	}
	apps, err := r.source.finder.Folder(ctx, "apps")
	if err != nil {
		t.Fatal(err)
	}
	old, err := r.source.finder.ResourcePool(ctx, "prod6/Resources")
	if err != nil {
		t.Fatal(err)
	}
	fails[*types.AlreadyExists](r)(apps.RegisterVM(ctx, "[old-fc-01] app01/app01.vmx", "", false, old, nil))
	fails[*types.InvalidDatastore](r)(apps.RegisterVM(ctx, "[new-1] app01/app01.vmx", "", false, old, nil))
	fails[*types.InvalidDatastorePath](r)(apps.RegisterVM(ctx, "app01.vmx", "", false, old, nil))
	fails[*types.NotFound](r)(apps.RegisterVM(ctx, "[old-fc-01] app01/nothing.vmx", "", false, old, nil))
	fails[*types.InvalidArgument](r)(apps.RegisterVM(ctx, "[old-fc-01] app01/app01.vmdk", "", false, old, nil))
	fails[*types.InvalidArgument](r)(apps.RegisterVM(ctx, "[old-fc-01] app01/app01.vmx", "", false, nil, nil))

	vm := r.machine(r.source, "test02")
	vmxPath := r.state("source", "test02").VMX
	m := r.source.vc.machines.get(vm.Reference())
	file := r.Lab().on(m.place())
	if err := vm.Unregister(ctx); err != nil {
		t.Fatal(err)
	}
	fails[*types.DuplicateName](r)(apps.RegisterVM(ctx, vmxPath, "app01", false, old, nil))
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d, _ := vmx.Parse(text)
	d.Set("virtualHW.version", "13")
	if err := os.WriteFile(file, d.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	fails[*types.VirtualHardwareVersionNotSupported](r)(apps.RegisterVM(ctx, vmxPath, "", false, old, nil))
	if err := os.WriteFile(file, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	fails[*types.InvalidVmConfig](r)(apps.RegisterVM(ctx, vmxPath, "", false, old, nil))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	r.ok(folder.RegisterVM(ctx, vmxPath, "", false, pool, nil))
	r.clean()

	// The platform does not stop a second site from registering what the first one has; the lab says so, and the locks of the
	// files keep it from running there.
	r.ok(folder.RegisterVM(ctx, "[old-fc-01] app01/app01.vmx", "", false, pool, nil))
	if v := r.Lab().Violations(); len(v) == 0 || v[0].Kind != "registered at two sites" {
		t.Errorf("violations %+v", v)
	}
	twin := r.machine(r.target, "app01")
	fails[*types.FileLocked](r)(twin.PowerOn(ctx))
	ds := r.datastore(r.target, "new-1")
	fails[*types.FileLocked](r)(twin.Relocate(ctx, types.VirtualMachineRelocateSpec{Datastore: &ds}, types.VirtualMachineMovePriorityDefaultPriority))
	fails[*types.FileLocked](r)(twin.Reconfigure(ctx, types.VirtualMachineConfigSpec{Annotation: "x"}))
}
