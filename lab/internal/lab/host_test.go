package lab

import (
	"reflect"
	"testing"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

func TestAddHostIsRefused(t *testing.T) {
	b := start(t, func(s *scenario.Scenario) {
		s.VCenters[0].Hosts = append(s.VCenters[0].Hosts, scenario.Host{
			Name: "spare.lab", Version: "6.0.0", Build: "1", CPU: "intel-ivybridge", Cores: 8, MHz: 2000, Memory: 64, Password: "x",
		})
	}).site("esx70-1.lab")
	add := func(c *object.ClusterComputeResource, name string, change func(*types.HostConnectSpec)) types.BaseMethodFault {
		spec := b.connectSpec("esx70-2.lab")
		if name != "" {
			spec = b.connectSpec(name)
		}
		if change != nil {
			change(&spec)
		}
		task, err := c.AddHost(b.ctx, spec, true, nil, nil)
		return b.do(task, err)
	}
	for name, refused := range map[string]struct {
		got  types.BaseMethodFault
		want types.BaseMethodFault
	}{
		"no host":           {add(b.cluster, "", func(s *types.HostConnectSpec) { s.HostName = "nowhere.lab" }), &types.NoHost{}},
		"no thumbprint":     {add(b.cluster, "", func(s *types.HostConnectSpec) { s.SslThumbprint = "" }), &types.SSLVerifyFault{}},
		"wrong password":    {add(b.cluster, "", func(s *types.HostConnectSpec) { s.Password = "guess" }), &types.InvalidLogin{}},
		"twice":             {add(b.cluster, "esx70-1.lab", nil), &types.AlreadyConnected{}},
		"too old":           {add(b.cluster, "spare.lab", nil), &types.NotSupportedHost{}},
		"newer than source": {add(b.prod6(), "esx70-2.lab", nil), &types.NotSupportedHost{}},
	} {
		if got, want := typeName(refused.got), typeName(refused.want); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	f, _ := add(b.cluster, "", func(s *types.HostConnectSpec) { s.SslThumbprint = "00" }).(*types.SSLVerifyFault)
	if f == nil || f.Thumbprint != b.Lab().servers["esx70-2.lab"].cert.SHA1 {
		t.Errorf("%+v does not tell the thumbprint", f)
	}
	if f := add(b.cluster, "esx70-2.lab", nil); f != nil {
		t.Error(describe(f))
	}
}

func TestAServerHasOneManager(t *testing.T) {
	b := start(t, func(s *scenario.Scenario) { s.VCenters[0].Hosts[0].Version = "6.5.0"; s.VCenters[0].Version = "6.5.0" }).site()
	task, err := b.cluster.AddHost(b.ctx, b.connectSpec("esx60-1.lab"), true, nil, nil)
	fails[*types.AlreadyBeingManaged](b.running)(task, err)
}

func (b *built) prod6() *object.ClusterComputeResource {
	c, err := b.source.finder.ClusterComputeResource(b.ctx, "prod6")
	b.must(err)
	return c
}

func typeName(f types.BaseMethodFault) string {
	if f == nil {
		return "no fault"
	}
	return reflect.TypeOf(f).Elem().Name()
}

func TestAFreshHost(t *testing.T) {
	b := start(t, nil).site("esx70-1.lab")
	var h mo.HostSystem
	b.must(b.hosts[0].Properties(b.ctx, b.hosts[0].Reference(), nil, &h))
	if h.Summary.Config.Product.Version != "7.0.3" || h.Summary.MaxEVCModeKey != "intel-cascadelake" || h.Summary.CurrentEVCModeKey != "" {
		t.Errorf("product %+v, EVC %q of %q", h.Summary.Config.Product, h.Summary.CurrentEVCModeKey, h.Summary.MaxEVCModeKey)
	}
	if h.Hardware.CpuInfo.NumCpuCores != 32 || h.Hardware.MemorySize != 768<<30 || h.Summary.Config.VmotionEnabled {
		t.Errorf("hardware %+v, vMotion %t", h.Hardware.CpuInfo, h.Summary.Config.VmotionEnabled)
	}
	if len(h.Network) != 1 || len(h.Config.Network.Pnic) != pnics || h.Config.Network.Vnic[0].Device != "vmk0" {
		t.Errorf("networks %v, configuration %+v", h.Network, h.Config.Network)
	}
	nics, err := b.hosts[0].ConfigManager().VirtualNicManager(b.ctx)
	b.must(err)
	b.must(nics.SelectVnic(b.ctx, "vmotion", "vmk0"))
	b.must(b.hosts[0].Properties(b.ctx, b.hosts[0].Reference(), []string{"summary.config.vmotionEnabled"}, &h))
	if !h.Summary.Config.VmotionEnabled {
		t.Error("vMotion is not enabled")
	}
}

func TestStandardNetworks(t *testing.T) {
	b := start(t, nil).site("esx70-1.lab", "esx70-2.lab")
	ns, err := b.hosts[0].ConfigManager().NetworkSystem(b.ctx)
	b.must(err)
	bond := &types.HostVirtualSwitchBondBridge{NicDevice: []string{"vmnic0"}}
	refuses[*types.ResourceInUse](t, ns.AddVirtualSwitch(b.ctx, "vSwitch1", &types.HostVirtualSwitchSpec{Bridge: bond}))
	bond.NicDevice[0] = "vmnic9"
	refuses[*types.NotFound](t, ns.AddVirtualSwitch(b.ctx, "vSwitch1", &types.HostVirtualSwitchSpec{Bridge: bond}))
	bond.NicDevice[0] = "vmnic1"
	b.must(ns.AddVirtualSwitch(b.ctx, "vSwitch1", &types.HostVirtualSwitchSpec{Bridge: bond}))
	group := types.HostPortGroupSpec{Name: "prod", VlanId: 20, VswitchName: "vSwitch1"}
	b.must(ns.AddPortGroup(b.ctx, group))
	refuses[*types.AlreadyExists](t, ns.AddPortGroup(b.ctx, group))
	other, err := b.hosts[1].ConfigManager().NetworkSystem(b.ctx)
	b.must(err)
	group.VswitchName = "vSwitch0"
	b.must(other.AddPortGroup(b.ctx, group))
	nets, err := b.target.finder.NetworkList(b.ctx, "prod")
	b.must(err)
	if len(nets) != 1 {
		t.Fatalf("%d networks are named prod", len(nets))
	}
	var n mo.Network
	b.must(property.DefaultCollector(b.target.Client.Client).RetrieveOne(b.ctx, nets[0].Reference(), []string{"host"}, &n))
	if len(n.Host) != 2 {
		t.Errorf("hosts %v", n.Host)
	}
	b.must(ns.RemoveVirtualSwitch(b.ctx, "vSwitch1"))
	b.must(other.RemovePortGroup(b.ctx, "prod"))
	if nets, err := b.target.finder.NetworkList(b.ctx, "prod"); err == nil {
		t.Errorf("networks %v are left", nets)
	}
}

func TestEVC(t *testing.T) {
	b := start(t, nil).site("esx70-1.lab")
	m := b.evc(b.cluster)
	res, err := methods.ConfigureEvcMode_Task(b.ctx, b.target.Client, &types.ConfigureEvcMode_Task{This: m, EvcModeKey: "intel-haswell"})
	b.must(err)
	b.ok(object.NewTask(b.target.Client.Client, res.Returnval), nil)
	var c mo.ClusterComputeResource
	b.must(b.cluster.Properties(b.ctx, b.cluster.Reference(), []string{"summary"}, &c))
	if mode := c.Summary.(*types.ClusterComputeResourceSummary).CurrentEVCModeKey; mode != "intel-haswell" {
		t.Errorf("the cluster's mode is %q", mode)
	}
	for key, want := range map[string]types.BaseMethodFault{"intel-cascadelake": nil, "amd-zen2": &types.EVCModeIllegalByVendor{}, "intel-icelake": &types.EVCModeUnsupportedByHosts{}} {
		res, err := methods.ConfigureEvcMode_Task(b.ctx, b.target.Client, &types.ConfigureEvcMode_Task{This: m, EvcModeKey: key})
		b.must(err)
		if got := b.do(object.NewTask(b.target.Client.Client, res.Returnval), nil); typeName(got) != typeName(want) {
			t.Errorf("%s: got %s, want %s", key, typeName(got), typeName(want))
		}
	}
	_, err = methods.ConfigureEvcMode_Task(b.ctx, b.target.Client, &types.ConfigureEvcMode_Task{This: m, EvcModeKey: "intel-sapphirerapids"})
	refuses[*types.InvalidArgument](t, err) // vSphere 8.0
}

func TestLoweringEVCNeedsMachinesToBeOff(t *testing.T) {
	b := start(t, nil).site()
	m := b.evc(b.prod6())
	res, err := methods.CheckConfigureEvcMode_Task(b.ctx, b.source.Client, &types.CheckConfigureEvcMode_Task{This: m, EvcModeKey: "intel-sandybridge"})
	b.must(err)
	info, err := object.NewTask(b.source.Client.Client, res.Returnval).WaitForResult(b.ctx)
	b.must(err)
	results := info.Result.(types.ArrayOfClusterEVCManagerCheckResult).ClusterEVCManagerCheckResult
	if len(results) != 1 || len(results[0].Host) != 4 {
		t.Fatalf("results %+v", results)
	}
	if _, ok := results[0].Error.Fault.(*types.ActiveVMsBlockingEVC); !ok {
		t.Errorf("fault %T", results[0].Error.Fault)
	}
}

func TestOutsideEVCNobodySaysWhatAMachineNeeds(t *testing.T) {
	b := start(t, nil).site()
	m := b.evc(b.prod6())
	vm, err := b.source.finder.VirtualMachine(b.ctx, "app01")
	b.must(err)
	needs := func() string {
		var x mo.VirtualMachine
		b.must(vm.Properties(b.ctx, vm.Reference(), []string{"runtime"}, &x))
		return x.Runtime.MinRequiredEVCModeKey
	}
	set := func(key string) (*object.Task, error) {
		res, err := methods.ConfigureEvcMode_Task(b.ctx, b.source.Client, &types.ConfigureEvcMode_Task{This: m, EvcModeKey: key})
		b.must(err)
		return object.NewTask(b.source.Client.Client, res.Returnval), nil
	}
	if got := needs(); got != "intel-ivybridge" {
		t.Errorf("in EVC it needs %q", got)
	}
	res, err := methods.DisableEvcMode_Task(b.ctx, b.source.Client, &types.DisableEvcMode_Task{This: m})
	b.must(err)
	b.ok(object.NewTask(b.source.Client.Client, res.Returnval), nil)
	if got := needs(); got != "" {
		t.Errorf("outside EVC it is said to need %q", got)
	}
	fails[*types.ActiveVMsBlockingEVC](b.running)(set("intel-sandybridge"))
	b.ok(set("intel-ivybridge"))
	if got := needs(); got != "intel-ivybridge" {
		t.Errorf("in EVC again it needs %q", got)
	}
}

func (b *built) evc(c *object.ClusterComputeResource) types.ManagedObjectReference {
	b.t.Helper()
	res, err := methods.EvcManager(b.ctx, c.Client(), &types.EvcManager{This: c.Reference()})
	b.must(err)
	return *res.Returnval
}

func TestAnEVCClusterRefusesAHostThatLacksTheMode(t *testing.T) {
	b := start(t, func(s *scenario.Scenario) { s.VCenters[1].Hosts[1].CPU = "intel-broadwell" }).site("esx70-1.lab")
	res, err := methods.ConfigureEvcMode_Task(b.ctx, b.target.Client, &types.ConfigureEvcMode_Task{This: b.evc(b.cluster), EvcModeKey: "intel-cascadelake"})
	b.must(err)
	b.ok(object.NewTask(b.target.Client.Client, res.Returnval), nil)
	task, err := b.cluster.AddHost(b.ctx, b.connectSpec("esx70-2.lab"), true, nil, nil)
	fails[*types.EVCAdmissionFailedCPUModelForMode](b.running)(task, err)
}

func TestMaintenanceModeEvacuates(t *testing.T) {
	b := start(t, nil).site()
	h, err := b.source.finder.HostSystem(b.ctx, "esx60-1.lab")
	b.must(err)
	task, err := h.EnterMaintenanceMode(b.ctx, 0, true, nil)
	b.ok(task, err)
	var x mo.HostSystem
	b.must(h.Properties(b.ctx, h.Reference(), []string{"vm", "runtime.inMaintenanceMode"}, &x))
	if len(x.Vm) != 0 || !x.Runtime.InMaintenanceMode {
		t.Errorf("maintenance %t, machines %v", x.Runtime.InMaintenanceMode, x.Vm)
	}
	task, err = h.EnterMaintenanceMode(b.ctx, 0, false, nil)
	fails[*types.InvalidState](b.running)(task, err)
	task, err = h.ExitMaintenanceMode(b.ctx, 0)
	b.ok(task, err)
	b.violations()
}

func TestMaintenanceModeWaitsWithoutDRS(t *testing.T) {
	b := start(t, func(s *scenario.Scenario) { s.VCenters[0].Datacenters[0].Clusters[0].DRS.Enabled = false }).site()
	h, err := b.source.finder.HostSystem(b.ctx, "esx60-1.lab")
	b.must(err)
	task, err := h.EnterMaintenanceMode(b.ctx, 60, false, nil)
	fails[*types.Timedout](b.running)(task, err)
	task, err = h.EnterMaintenanceMode(b.ctx, 0, false, nil)
	b.must(err)
	time.Sleep(20 * time.Millisecond)
	b.must(task.Cancel(b.ctx))
	fails[*types.RequestCanceled](b.running)(task, nil)
}

func TestRemovingAndAddingAHost(t *testing.T) {
	b := start(t, nil).site("esx70-1.lab")
	b.rescan(0)
	task, err := b.hosts[0].Destroy(b.ctx)
	fails[*types.InvalidState](b.running)(task, err)
	task, err = b.hosts[0].Disconnect(b.ctx)
	b.ok(task, err)
	task, err = b.hosts[0].Destroy(b.ctx)
	b.ok(task, err)
	if ds, err := b.target.finder.DatastoreList(b.ctx, "*"); err == nil {
		t.Errorf("datastores %v are left", ds)
	}
	task, err = b.cluster.AddHost(b.ctx, b.connectSpec("esx70-1.lab"), true, nil, nil)
	b.ok(task, err)
	b.hosts[0] = object.NewHostSystem(b.target.Client.Client, b.target.vc.HostNamed("esx70-1.lab").Self)
	b.same("what it has mounted comes along", b.names(0), "old-fc-01", "old-fc-02", "old-fc-03", "old-fc-04")
	task, err = b.cluster.Destroy(b.ctx)
	fails[*types.InvalidState](b.running)(task, err)
}
