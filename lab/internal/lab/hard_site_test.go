package lab

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// twoSites serves two sites whose hosts all see the old array; the target has a VM of its own.
func twoSites(t *testing.T, change func(*scenario.Scenario)) *running {
	t.Helper()
	return start(t, func(sc *scenario.Scenario) {
		x, err := scenario.Load("../../../tests/scenarios/blocked.yaml")
		if err != nil {
			t.Fatal(err)
		}
		*sc = *x
		sc.Timescale = 5000
		sc.VCenters[0].Version, sc.VCenters[0].API, sc.VCenters[0].Hosts[0].Version, sc.VCenters[0].Hosts[1].Version = "6.7.0", "6.7", "6.7.0", "6.7.0"
		target, cluster := &sc.VCenters[1], sc.VCenters[0].Datacenters[0].Clusters[0] // with its HA and DRS
		cluster.Name, cluster.Hosts, cluster.EVC, cluster.Pools = "prod7", []string{"esx70-1.lab", "esx70-2.lab"}, "", nil
		target.Datacenters = []scenario.Datacenter{{
			Name: "tokyo7", Clusters: []scenario.Cluster{cluster},
			Networks: []scenario.Network{{Name: "VM Network", VLAN: 20}},
		}}
		vm := sc.VMs[0]
		vm.Name, vm.Site, vm.Datacenter, vm.Cluster, vm.Host = "new01", "target", "tokyo7", "prod7", "esx70-1.lab"
		vm.Encrypted, vm.Hardware, vm.Devices = true, 17, []string{"vtpm"}
		sc.VMs = append(sc.VMs, vm)
		if change != nil {
			change(sc)
		}
	})
}

// carry takes a VM from the source to the target.
func (r *running) carry(name string) (*object.Task, error) {
	ctx := context.Background()
	s, vm := r.state("source", name), r.machine(r.source, name)
	if s.Power == "poweredOn" {
		r.ok(vm.PowerOff(ctx))
	}
	if err := vm.Unregister(ctx); err != nil {
		r.t.Fatal(err)
	}
	folder, err := r.target.finder.DefaultFolder(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	pool, err := r.target.finder.ResourcePool(ctx, "prod7/Resources")
	if err != nil {
		r.t.Fatal(err)
	}
	return folder.RegisterVM(ctx, s.VMX, "", false, pool, r.host(r.target, "esx70-1.lab"))
}

func TestEncrypted(t *testing.T) {
	r := twoSites(t, func(sc *scenario.Scenario) {
		for i := range sc.VMs {
			sc.VMs[i].Encrypted = sc.VMs[i].Encrypted || sc.VMs[i].Name == "plain01"
		}
	})
	s := r.state("target", "new01")
	if s.Power != "poweredOn" || s.Key == "" || !slices.Contains(s.Devices, "Virtual TPM") {
		t.Errorf("%+v", s)
	}
	if c := r.props(r.machine(r.target, "new01"), "runtime.cryptoState").Runtime.CryptoState; c != "unlocked" {
		t.Errorf("cryptoState %q", c)
	}
	vm := r.machine(r.source, "plain01")
	p := r.props(vm, "config")
	disk := object.VirtualDeviceList(p.Config.Hardware.Device).SelectByType(new(types.VirtualDisk))[0]
	if b := disk.GetVirtualDevice().Backing.(*types.VirtualDiskFlatVer2BackingInfo); p.Config.KeyId == nil || b.KeyId == nil || *b.KeyId.ProviderId != *p.Config.KeyId.ProviderId || b.KeyId.KeyId != p.Config.KeyId.KeyId {
		t.Errorf("key %+v, of the disk %+v", p.Config.KeyId, b.KeyId)
	}
	r.off(vm)
	vm = r.again("plain01")
	r.ok(vm.PowerOn(context.Background())) // its own vCenter has the key
	if f := fails[*types.EncryptionKeyRequired](r)(r.carry("plain01")); len(f.RequiredKey) != 2 {
		t.Errorf("%+v", f.RequiredKey)
	}
	r.clean()
}

func TestWhatTheTargetLacks(t *testing.T) {
	r := twoSites(t, func(sc *scenario.Scenario) { sc.Fabric.Presentation[0].LUNs = nil })
	ctx := context.Background()
	for _, name := range []string{"vgpu01", "serial01", "usb01"} {
		r.ok(r.carry(name))
		fails[*types.DeviceNotSupported](r)(r.machine(r.target, name).PowerOn(ctx))
	}
	// the image's volume is unmounted at the target
	uuid := r.target.vc.volumeOf(r.datastore(r.target, "old-stays")).uuid
	r.ok(r.carry("iso01"))
	vm := r.machine(r.target, "iso01")
	devices, err := vm.Device(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cd := devices.SelectByType(new(types.VirtualCdrom))[0].(*types.VirtualCdrom)
	if err := r.Lab().Fabric.Unmount("esx70-1.lab", uuid); err != nil {
		t.Fatal(err)
	}
	r.Lab().storageChanged()
	fails[*types.CannotAccessVmDevice](r)(vm.PowerOn(ctx))
	cd.Connectable.StartConnected = false
	r.ok(vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{DeviceChange: []types.BaseVirtualDeviceConfigSpec{
		&types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationEdit, Device: cd},
	}}))
	task, err := vm.PowerOn(ctx)
	r.answer(vm, answerMoved)
	r.ok(task, err)
	r.clean()
}

func TestQuestionsAndInstallersEnd(t *testing.T) {
	r := blocked(t)
	ctx := context.Background()
	vm := r.machine(r.source, "question01")
	q := r.props(vm, "runtime.question").Runtime.Question
	refused[*types.InvalidArgument](t, vm.Answer(ctx, q.Id, answerCopied))
	refused[*types.QuestionPending](t, vm.Unregister(ctx))
	if err := vm.Answer(ctx, q.Id, answerRetry); err != nil {
		t.Fatal(err)
	}
	r.eventually("the guest goes on", func() bool {
		s := r.state("source", "question01")
		return s.Question == "" && s.Tools == "guestToolsRunning"
	})
	r.ok(vm.Relocate(ctx, r.toDatastore("old-stays"), normal))
	vm = r.machine(r.source, "tools-install01")
	if err := vm.UnmountToolsInstaller(ctx); err != nil {
		t.Fatal(err)
	}
	r.ok(vm.Relocate(ctx, r.toDatastore("old-stays"), normal))
	vm = r.machine(r.source, "fault-tolerant01")
	res, err := methods.TurnOffFaultToleranceForVM_Task(ctx, r.source.Client.Client, &types.TurnOffFaultToleranceForVM_Task{This: vm.Reference()})
	if err != nil {
		t.Fatal(err)
	}
	r.ok(object.NewTask(r.source.Client.Client, res.Returnval), nil)
	r.ok(vm.Relocate(ctx, r.toDatastore("old-stays"), normal))
	vm = r.machine(r.source, "vapp01")
	r.off(vm)
	if err := vm.Unregister(ctx); err != nil {
		t.Fatal(err)
	}
	r.clean()
}

func TestAbortCutsThePower(t *testing.T) {
	r := blocked(t)
	vm := r.machine(r.source, "question01")
	if err := vm.Answer(context.Background(), r.props(vm, "runtime.question").Runtime.Question.Id, answerAbort); err != nil {
		t.Fatal(err)
	}
	r.eventually("powered off", func() bool { return r.state("source", "question01").Power == "poweredOff" })
	r.clean()
}

func TestCapacity(t *testing.T) {
	reserve := func(gib int64) func(*scenario.VM) {
		return func(vm *scenario.VM) { vm.Memory, vm.Reservation.Memory = gib, gib }
	}
	r := start(t, func(sc *scenario.Scenario) {
		edit(map[string]func(*scenario.VM){"app01": reserve(100), "legacy01": reserve(100), "test02": reserve(100), "archive01": reserve(300)})(sc)
		for i := range sc.VMs {
			if sc.VMs[i].Name == "test02" {
				sc.VMs[i].Host = "esx60-1.lab"
			}
		}
	})
	ctx := context.Background()
	cluster, err := r.source.finder.ClusterComputeResource(ctx, "prod6")
	if err != nil {
		t.Fatal(err)
	}
	r.ok(cluster.Reconfigure(ctx, &types.ClusterConfigSpecEx{DasConfig: &types.ClusterDasConfigInfo{Enabled: types.NewBool(false)}}, true))
	vm := r.machine(r.source, "test02") // 256 GiB, of which 200 are reserved
	if f := fails[*types.InsufficientMemoryResourcesFault](r)(vm.PowerOn(ctx)); f.Requested <= 100*gib || f.Unreserved >= 56*gib {
		t.Errorf("%+v", f)
	}
	fails[*types.InsufficientMemoryResourcesFault](r)(r.machine(r.source, "archive01").PowerOn(ctx))
	r.ok(vm.Relocate(ctx, r.toHost("esx60-4.lab"), normal))
	r.ok(vm.PowerOn(ctx))
	r.ok(r.machine(r.source, "app01").Relocate(ctx, r.toHost("esx60-4.lab"), normal))
	fails[*types.InsufficientMemoryResourcesFault](r)(r.machine(r.source, "legacy01").Relocate(ctx, r.toHost("esx60-4.lab"), normal))
	fails[*types.InsufficientCpuResourcesFault](r)(func() (*object.Task, error) {
		r.ok(r.machine(r.source, "archive01").Reconfigure(ctx, types.VirtualMachineConfigSpec{
			MemoryAllocation: &types.ResourceAllocationInfo{Reservation: types.NewInt64(0)}, CpuAllocation: &types.ResourceAllocationInfo{Reservation: types.NewInt64(16*2600 + 1)},
		}))
		return r.machine(r.source, "archive01").PowerOn(ctx)
	}())
	r.clean()
}

func TestAdmissionControl(t *testing.T) {
	hosts := []demand{{41600, 250 * gib}, {41600, 250 * gib}}
	for i, c := range []struct {
		enough, want bool
	}{
		{survives(hosts, []demand{{0, 100 * gib}, {0, 1 * gib}}, 1), true}, // 2 slots of 100 GiB are left
		{survives(hosts, []demand{{0, 100 * gib}, {0, 1 * gib}, {0, 1 * gib}}, 1), false},
		{survives(hosts, []demand{{0, 1 * gib}}, 2), false},
		{survives(hosts, []demand{{0, 251 * gib}}, 0), false},
		{leftPercent(hosts, []demand{{0, 250 * gib}}, 50, 50), true},
		{leftPercent(hosts, []demand{{0, 251 * gib}}, 50, 50), false},
		{leftPercent(hosts, []demand{{41601, 0}}, 50, 50), false},
		{leftPercent(nil, nil, 0, 0), false},
	} {
		if c.enough != c.want {
			t.Errorf("case %d: %v", i, c.enough)
		}
	}
	r := start(t, edit(map[string]func(*scenario.VM){"test02": func(vm *scenario.VM) { vm.Memory, vm.Reservation.Memory = 200, 200 }}))
	ctx := context.Background()
	fails[*types.InsufficientFailoverResourcesFault](r)(r.machine(r.source, "test02").PowerOn(ctx)) // slots of 200 GiB: three for a dozen
	cluster, err := r.source.finder.ClusterComputeResource(ctx, "prod6")
	if err != nil {
		t.Fatal(err)
	}
	policy := func(p types.BaseClusterDasAdmissionControlPolicy) {
		r.ok(cluster.Reconfigure(ctx, &types.ClusterConfigSpecEx{DasConfig: &types.ClusterDasConfigInfo{AdmissionControlPolicy: p}}, true))
	}
	policy(&types.ClusterFailoverResourcesAdmissionControlPolicy{CpuFailoverResourcesPercent: 25, MemoryFailoverResourcesPercent: 85})
	fails[*types.InsufficientFailoverResourcesFault](r)(r.machine(r.source, "test02").PowerOn(ctx))
	policy(&types.ClusterFailoverResourcesAdmissionControlPolicy{FailoverLevel: 1, AutoComputePercentages: types.NewBool(true)})
	r.ok(r.machine(r.source, "test02").PowerOn(ctx))
	r.ok(r.machine(r.source, "test02").PowerOff(ctx))
	host := r.host(r.source, "esx60-4.lab").Reference()
	policy(&types.ClusterFailoverHostAdmissionControlPolicy{FailoverHosts: []types.ManagedObjectReference{host}})
	fails[*types.DisallowedOperationOnFailoverHost](r)(r.machine(r.source, "test02").PowerOn(ctx))
	r.clean()
}

func TestDatastoresThatAreHardToMove(t *testing.T) {
	r := twoSites(t, func(sc *scenario.Scenario) {
		sc.Arrays[0].LUNs[0].VMFS.SIOC, sc.Arrays[0].LUNs[2].VMFS.Version = true, 3
		sc.VMs = slices.DeleteFunc(sc.VMs, func(vm scenario.VM) bool { return vm.Name == "datastore-stays01" || vm.Name == "iso01" })
		sc.VCenters[0].Datacenters[0].StoragePods = []scenario.StoragePod{{Name: "pod-1", StorageDRS: true, Datastores: []string{"old-b"}}}
		sc.VCenters[0].Hosts[0].Version, sc.VCenters[0].Hosts[1].Version = "6.0.0", "6.0.0"
		sc.VCenters[0].ClockSkew = 45 * time.Second
	})
	ctx := context.Background()
	find := func(site, name string) (out DatastoreState) {
		for _, ds := range r.Lab().State().VCenters[site].Datastores {
			if ds.Name == name {
				out = ds
			}
		}
		return out
	}
	if a, b := find("source", "old-a"), find("source", "old-b"); !a.SIOC || a.Pod != "" || b.SIOC || b.Pod != "pod-1" {
		t.Errorf("%+v %+v", a, b)
	}
	if find("source", "old-stays").Name == "" || find("target", "old-stays").Name != "" {
		t.Error("VMFS 3 is mounted by 6.0 and left alone by 7.0")
	}
	var local mo.Datastore
	if err := r.source.RetrieveOne(ctx, r.datastore(r.source, "local-1"), []string{"summary", "info"}, &local); err != nil {
		t.Fatal(err)
	}
	if isTrue(local.Summary.MultipleHostAccess) || !isTrue(local.Info.(*types.VmfsDatastoreInfo).Vmfs.Local) || len(find("source", "local-1").Hosts) != 1 || find("target", "local-1").Name != "" {
		t.Errorf("%+v %+v", local.Summary, find("source", "local-1"))
	}
	pods := all[*simulator.StoragePod](r.source.vc, "StoragePod")
	if len(pods) != 1 || !pods[0].PodStorageDrsEntry.StorageDrsConfig.PodConfig.Enabled || len(pods[0].ChildEntity) != 1 {
		t.Errorf("%+v", pods)
	}
	for _, x := range []struct {
		site *client
		skew time.Duration
	}{{r.source, 45 * time.Second}, {r.target, 0}} {
		now, err := methods.GetCurrentTime(ctx, x.site.Client.Client)
		if err != nil || now.Sub(time.Now().Add(x.skew)).Abs() > 5*time.Second {
			t.Errorf("%s: %v %v", x.site.vc.Spec.Name, now, err)
		}
	}
	storage, err := r.host(r.source, "esx60-2.lab").ConfigManager().StorageSystem(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range r.source.vc.machines.all() {
		if m.power() == on {
			m.stopped(false)
		}
		r.source.vc.drop(m)
	}
	for _, name := range []string{"old-a", "old-b"} {
		refused[*types.ResourceInUse](t, storage.UnmountVmfsVolume(ctx, find("source", name).UUID))
	}
	res, err := methods.ConfigureDatastoreIORM_Task(ctx, r.source.Client.Client, &types.ConfigureDatastoreIORM_Task{
		This: *r.source.ServiceContent.StorageResourceManager, Datastore: r.datastore(r.source, "old-a"), Spec: types.StorageIORMConfigSpec{Enabled: types.NewBool(false)},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.ok(object.NewTask(r.source.Client.Client, res.Returnval), nil)
	if err := storage.UnmountVmfsVolume(ctx, find("source", "old-a").UUID); err != nil {
		t.Error(err)
	}
}
