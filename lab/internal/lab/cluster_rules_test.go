package lab

import (
	"context"
	"slices"
	"testing"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

var (
	adding   = types.ArrayUpdateSpec{Operation: types.ArrayUpdateOperationAdd}
	editing  = types.ArrayUpdateSpec{Operation: types.ArrayUpdateOperationEdit}
	removing = func(key any) types.ArrayUpdateSpec {
		return types.ArrayUpdateSpec{Operation: types.ArrayUpdateOperationRemove, RemoveKey: key}
	}
)

func (r *running) refs(names ...string) (out []types.ManagedObjectReference) {
	for _, n := range names {
		out = append(out, r.machine(r.source, n).Reference())
	}
	return out
}

func affinity(name string, vms ...types.ManagedObjectReference) types.BaseClusterRuleInfo {
	return &types.ClusterAffinityRuleSpec{ClusterRuleInfo: types.ClusterRuleInfo{Name: name, Enabled: types.NewBool(true)}, Vm: vms}
}

func anti(name string, vms ...types.ManagedObjectReference) types.BaseClusterRuleInfo {
	return &types.ClusterAntiAffinityRuleSpec{ClusterRuleInfo: types.ClusterRuleInfo{Name: name, Enabled: types.NewBool(true)}, Vm: vms}
}

func rule(a types.ArrayUpdateSpec, info types.BaseClusterRuleInfo) *types.ClusterConfigSpecEx {
	return &types.ClusterConfigSpecEx{RulesSpec: []types.ClusterRuleSpec{{ArrayUpdateSpec: a, Info: info}}}
}

func group(a types.ArrayUpdateSpec, info types.BaseClusterGroupInfo) *types.ClusterConfigSpecEx {
	return &types.ClusterConfigSpecEx{GroupSpec: []types.ClusterGroupSpec{{ArrayUpdateSpec: a, Info: info}}}
}

func (r *running) config() *types.ClusterConfigInfoEx {
	r.t.Helper()
	var cl mo.ClusterComputeResource
	c := r.cluster(r.source, "prod6")
	if err := c.Properties(context.Background(), c.Reference(), []string{"configurationEx"}, &cl); err != nil {
		r.t.Fatal(err)
	}
	return cl.ConfigurationEx.(*types.ClusterConfigInfoEx)
}

func (r *running) ruleNamed(name string) *types.ClusterRuleInfo {
	r.t.Helper()
	for _, x := range r.config().Rule {
		if x.GetClusterRuleInfo().Name == name {
			return x.GetClusterRuleInfo()
		}
	}
	r.t.Fatalf("there is no rule %s", name)
	return nil
}

func TestRulesAreAddedEditedAndRemoved(t *testing.T) {
	r, ctx := startMetadata(t, nil), context.Background()
	c, vms := r.cluster(r.source, "prod6"), r.refs("app02", "db01")
	r.ok(c.Reconfigure(ctx, rule(adding, anti("apart", vms...)), true))
	made := r.ruleNamed("apart")
	if made.Key == 0 || made.RuleUuid == "" || !*made.UserCreated || *made.Mandatory {
		t.Errorf("%+v", made)
	}
	// What an edit leaves out stays; the members are replaced.
	change := &types.ClusterAntiAffinityRuleSpec{ClusterRuleInfo: types.ClusterRuleInfo{Key: made.Key, Enabled: types.NewBool(false)}, Vm: r.refs("db01", "app01")}
	r.ok(c.Reconfigure(ctx, rule(editing, change), true))
	rules := r.Lab().State().VCenters["source"].Clusters[0].Rules
	got := rules[len(rules)-1]
	if got.Name != "apart" || got.Enabled || !slices.Equal(got.VMs, []string{"app01", "db01"}) {
		t.Errorf("%+v", got)
	}
	r.ok(c.Reconfigure(ctx, rule(removing(made.Key), nil), true))
	if n := len(r.config().Rule); n != 3 {
		t.Errorf("%d rules", n)
	}
	// A group and the rule that needs it come in one call.
	both := group(adding, &types.ClusterVmGroup{ClusterGroupInfo: types.ClusterGroupInfo{Name: "dbs"}, Vm: r.refs("db01")})
	both.RulesSpec = []types.ClusterRuleSpec{{ArrayUpdateSpec: adding, Info: &types.ClusterVmHostRuleInfo{
		ClusterRuleInfo: types.ClusterRuleInfo{Name: "dbs-elsewhere"}, VmGroupName: "dbs", AntiAffineHostGroupName: "licensed-hosts",
	}}}
	r.ok(c.Reconfigure(ctx, both, true))
	if s := r.state("source", "db01"); !slices.Contains(s.Rules, "dbs-elsewhere") || !slices.Equal(s.Groups, []string{"dbs"}) {
		t.Errorf("%+v", s.MetadataState)
	}
	r.ok(c.Reconfigure(ctx, group(editing, &types.ClusterVmGroup{ClusterGroupInfo: types.ClusterGroupInfo{Name: "dbs"}, Vm: r.refs("app02")}), true))
	fails[*types.ResourceInUse](r)(c.Reconfigure(ctx, group(removing("dbs"), nil), true))
	r.ok(c.Reconfigure(ctx, rule(removing(r.ruleNamed("dbs-elsewhere").Key), nil), true))
	r.ok(c.Reconfigure(ctx, group(removing("dbs"), nil), true))
	// Without modify, what is not said goes back to the defaults.
	r.ok(c.Reconfigure(ctx, &types.ClusterConfigSpecEx{}, false))
	if cfg := r.config(); len(cfg.Rule)+len(cfg.Group)+len(cfg.DasVmConfig) > 0 || *cfg.DasConfig.Enabled {
		t.Errorf("%+v", cfg)
	}
}

func TestRulesThatVSphereRefuses(t *testing.T) {
	r, ctx := startMetadata(t, func(s *scenario.Scenario) {
		s.VMs[2].Template, s.VMs[2].Power = true, "off"
		s.VCenters[0].Datacenters[0].Clusters[0].Rules = nil
	}), context.Background()
	c := r.cluster(r.source, "prod6")
	apps := r.refs("app01", "app02")
	r.ok(c.Reconfigure(ctx, rule(adding, affinity("together", apps...)), true))
	invalid := func(s *types.ClusterConfigSpecEx) {
		t.Helper()
		fails[*types.InvalidArgument](r)(c.Reconfigure(ctx, s, true))
	}
	invalid(rule(adding, affinity("one", apps[0])))
	invalid(rule(adding, affinity("same", apps[0], apps[0])))
	invalid(rule(adding, affinity("", apps...)))
	invalid(rule(adding, affinity("a template", append(r.refs("db01"), apps...)...)))
	invalid(rule(adding, anti("contradiction", apps...)))
	invalid(rule(editing, affinity("no key", apps...)))
	invalid(rule(editing, &types.ClusterAntiAffinityRuleSpec{ClusterRuleInfo: types.ClusterRuleInfo{Key: r.ruleNamed("together").Key}, Vm: apps}))
	invalid(rule(removing(int32(99)), nil))
	invalid(rule(removing("together"), nil))
	invalid(rule(adding, &types.ClusterVmHostRuleInfo{ClusterRuleInfo: types.ClusterRuleInfo{Name: "x"}, VmGroupName: "none", AffineHostGroupName: "licensed-hosts"}))
	invalid(rule(adding, &types.ClusterVmHostRuleInfo{ClusterRuleInfo: types.ClusterRuleInfo{Name: "x"}, VmGroupName: "app-vms", AffineHostGroupName: "app-vms"}))
	invalid(rule(adding, &types.ClusterVmHostRuleInfo{ClusterRuleInfo: types.ClusterRuleInfo{Name: "x"}, VmGroupName: "app-vms"}))
	fails[*types.DuplicateName](r)(c.Reconfigure(ctx, rule(adding, affinity("together", apps...)), true))
	gone := types.ManagedObjectReference{Type: "VirtualMachine", Value: "vm-9999"}
	fails[*types.ManagedObjectNotFound](r)(c.Reconfigure(ctx, rule(adding, affinity("gone", apps[0], gone)), true))

	fails[*types.DuplicateName](r)(c.Reconfigure(ctx, group(adding, &types.ClusterVmGroup{ClusterGroupInfo: types.ClusterGroupInfo{Name: "app-vms"}, Vm: apps}), true))
	invalid(group(adding, &types.ClusterVmGroup{ClusterGroupInfo: types.ClusterGroupInfo{Name: "empty"}}))
	invalid(group(adding, &types.ClusterHostGroup{ClusterGroupInfo: types.ClusterGroupInfo{Name: "hosts"}, Host: apps}))
	invalid(group(editing, &types.ClusterVmGroup{ClusterGroupInfo: types.ClusterGroupInfo{Name: "licensed-hosts"}, Vm: apps}))
	invalid(group(removing("none"), nil))

	// All of it or nothing.
	half := rule(adding, anti("half", apps...))
	half.DasConfig = &types.ClusterDasConfigInfo{Enabled: types.NewBool(false)}
	half.GroupSpec = group(adding, &types.ClusterVmGroup{ClusterGroupInfo: types.ClusterGroupInfo{Name: "half"}, Vm: apps}).GroupSpec
	invalid(half)
	if cfg := r.config(); len(cfg.Group) != 2 || !*cfg.DasConfig.Enabled {
		t.Errorf("a refused change left something: %+v", cfg)
	}
}

func TestOverrides(t *testing.T) {
	r, ctx := startMetadata(t, nil), context.Background()
	c, app01, app02 := r.cluster(r.source, "prod6"), r.refs("app01")[0], r.refs("app02")[0]
	ha := func(a types.ArrayUpdateSpec, vm types.ManagedObjectReference, s *types.ClusterDasVmSettings) *types.ClusterConfigSpecEx {
		return &types.ClusterConfigSpecEx{DasVmConfigSpec: []types.ClusterDasVmConfigSpec{{ArrayUpdateSpec: a, Info: &types.ClusterDasVmConfigInfo{Key: vm, DasSettings: s}}}}
	}
	drs := func(a types.ArrayUpdateSpec, vm types.ManagedObjectReference, b types.DrsBehavior) *types.ClusterConfigSpecEx {
		return &types.ClusterConfigSpecEx{DrsVmConfigSpec: []types.ClusterDrsVmConfigSpec{{ArrayUpdateSpec: a, Info: &types.ClusterDrsVmConfigInfo{Key: vm, Behavior: b}}}}
	}
	r.ok(c.Reconfigure(ctx, ha(adding, app02, &types.ClusterDasVmSettings{RestartPriority: "lowest"}), true))
	r.ok(c.Reconfigure(ctx, ha(editing, app02, &types.ClusterDasVmSettings{IsolationResponse: "shutdown"}), true))
	r.ok(c.Reconfigure(ctx, drs(adding, app02, types.DrsBehaviorPartiallyAutomated), true))
	s := r.state("source", "app02")
	if s.HAOverride == nil || *s.HAOverride != (HAOverrideState{"lowest", "shutdown"}) || s.DRSOverride == nil || *s.DRSOverride != (DRSOverrideState{"partiallyAutomated", true}) {
		t.Errorf("%+v %+v", s.HAOverride, s.DRSOverride)
	}
	for _, bad := range []*types.ClusterConfigSpecEx{
		ha(adding, app01, &types.ClusterDasVmSettings{RestartPriority: "low"}), // has one
		ha(editing, r.refs("db01")[0], &types.ClusterDasVmSettings{RestartPriority: "low"}),
		ha(editing, app01, &types.ClusterDasVmSettings{RestartPriority: "urgent"}),
		ha(editing, app01, &types.ClusterDasVmSettings{IsolationResponse: "panic"}),
		drs(adding, app01, types.DrsBehaviorManual),
		drs(editing, app01, "wild"),
		{DrsVmConfigSpec: []types.ClusterDrsVmConfigSpec{{ArrayUpdateSpec: removing(r.refs("db01")[0])}}},
	} {
		fails[*types.InvalidArgument](r)(c.Reconfigure(ctx, bad, true))
	}
	r.ok(c.Reconfigure(ctx, &types.ClusterConfigSpecEx{DasVmConfigSpec: []types.ClusterDasVmConfigSpec{{ArrayUpdateSpec: removing(app02)}}}, true))
	r.ok(c.Reconfigure(ctx, &types.ClusterConfigSpecEx{DrsVmConfigSpec: []types.ClusterDrsVmConfigSpec{{ArrayUpdateSpec: removing(app02)}}}, true))
	if s := r.state("source", "app02"); s.HAOverride != nil || s.DRSOverride != nil {
		t.Errorf("%+v %+v", s.HAOverride, s.DRSOverride)
	}
}

func TestAnOldHAHasFewerPriorities(t *testing.T) {
	r := startMetadata(t, func(s *scenario.Scenario) {
		v := &s.VCenters[0]
		v.Version, v.API, v.Tags = "6.0.0", "6.0", nil
		for i := range s.VMs {
			s.VMs[i].Tags = nil
		}
	})
	spec := &types.ClusterConfigSpecEx{DasVmConfigSpec: []types.ClusterDasVmConfigSpec{{ArrayUpdateSpec: editing, Info: &types.ClusterDasVmConfigInfo{
		Key: r.refs("app01")[0], DasSettings: &types.ClusterDasVmSettings{RestartPriority: "highest"},
	}}}}
	fails[*types.InvalidArgument](r)(r.cluster(r.source, "prod6").Reconfigure(context.Background(), spec, true))
}
