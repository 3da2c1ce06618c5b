package lab

import (
	"context"
	"slices"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// startMetadata serves the scenario whose VM app01 has every kind of metadata.
func startMetadata(t *testing.T, change func(*scenario.Scenario)) *running {
	t.Helper()
	return startFrom(t, "../../../tests/scenarios/metadata.yaml", change)
}

func (r *running) cluster(c *client, name string) *object.ClusterComputeResource {
	r.t.Helper()
	o, err := c.finder.ClusterComputeResource(context.Background(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	return o
}

func TestMetadataIsReadAndGoesWithTheRegistration(t *testing.T) {
	r, ctx := startMetadata(t, nil), context.Background()
	s := r.state("source", "app01")
	if !slices.Equal(s.Tags, []string{"backup/daily", "tier/gold"}) || !slices.Equal(s.Groups, []string{"app-vms"}) ||
		!slices.Equal(s.Rules, []string{"app-not-with-db", "app-on-licensed", "app-together"}) {
		t.Errorf("tags %v, groups %v, rules %v", s.Tags, s.Groups, s.Rules)
	}
	if len(s.Permissions) != 2 || s.Permissions[0] != (PermissionState{`LAB\dba`, true, "ReadOnly", false}) || s.Permissions[1] != (PermissionState{`LAB\sato`, false, "vm-operator", true}) {
		t.Errorf("permissions %+v", s.Permissions)
	}
	if s.HAOverride == nil || *s.HAOverride != (HAOverrideState{"high", "none"}) || s.DRSOverride == nil || *s.DRSOverride != (DRSOverrideState{"manual", true}) {
		t.Errorf("overrides %+v %+v", s.HAOverride, s.DRSOverride)
	}
	var cl mo.ClusterComputeResource
	c := r.cluster(r.source, "prod6")
	if err := c.Properties(ctx, c.Reference(), []string{"configurationEx"}, &cl); err != nil {
		t.Fatal(err)
	}
	cfg := cl.ConfigurationEx.(*types.ClusterConfigInfoEx)
	if p, ok := cfg.DasConfig.AdmissionControlPolicy.(*types.ClusterFailoverResourcesAdmissionControlPolicy); !ok || p.CpuFailoverResourcesPercent != 50 {
		t.Errorf("admission %+v", cfg.DasConfig.AdmissionControlPolicy)
	}

	r.off(r.machine(r.source, "app01"))
	vm := r.machine(r.source, "app01")
	path, pool := s.VMX, r.props(vm, "resourcePool").ResourcePool
	if err := vm.Unregister(ctx); err != nil {
		t.Fatal(err)
	}
	after := r.Lab().State().VCenters["source"].Clusters[0]
	for _, rule := range after.Rules {
		if slices.Contains(rule.VMs, "app01") || len(rule.VMs) > 1 {
			t.Errorf("rule %+v", rule)
		}
	}
	if !slices.Equal(after.Groups[0].VMs, []string{"app02"}) {
		t.Errorf("group %+v", after.Groups[0])
	}
	folders, err := r.source.finder.DefaultFolder(ctx)
	if err != nil {
		t.Fatal(err)
	}
	task, err := folders.RegisterVM(ctx, path, "app01", false, object.NewResourcePool(r.source.Client.Client, *pool), r.host(r.source, "esx60-1.lab"))
	r.ok(task, err)
	s = r.state("source", "app01")
	if len(s.Tags)+len(s.Permissions)+len(s.Rules)+len(s.Groups) > 0 || s.HAOverride != nil || s.DRSOverride != nil {
		t.Errorf("metadata came back by itself: %+v", s.MetadataState)
	}
}

func TestATemplateLeavesItsCluster(t *testing.T) {
	r, ctx := startMetadata(t, nil), context.Background()
	r.off(r.machine(r.source, "app01"))
	if err := r.machine(r.source, "app01").MarkAsTemplate(ctx); err != nil {
		t.Fatal(err)
	}
	s := r.state("source", "app01")
	if len(s.Rules)+len(s.Groups) > 0 || s.HAOverride != nil || len(s.Tags) != 2 || len(s.Permissions) != 2 {
		t.Errorf("%+v", s.MetadataState)
	}
	if g := r.Lab().State().VCenters["source"].Clusters[0].Groups[0]; slices.Contains(g.VMs, "app01") {
		t.Errorf("%+v", g)
	}
}

func TestAVMThatChangesItsClusterLeavesTheRules(t *testing.T) {
	r, ctx := startMetadata(t, func(s *scenario.Scenario) {
		dc := &s.VCenters[0].Datacenters[0]
		prod := &dc.Clusters[0]
		prod.Hosts, prod.Rules = []string{"esx60-1.lab"}, slices.Delete(prod.Rules, 1, 2)
		for i := range prod.Pools { // half of the hosts is gone
			prod.Pools[i].CPU, prod.Pools[i].Memory = nil, nil
		}
		dc.Clusters = append(dc.Clusters, scenario.Cluster{Name: "other6", Hosts: []string{"esx60-2.lab"}})
		s.VMs[2].Cluster, s.VMs[2].Pool = "other6", ""
	}), context.Background()
	vm, host, pool := r.machine(r.source, "app01"), r.host(r.source, "esx60-2.lab").Reference(), r.pool(r.source, "other6/Resources").Reference()
	if s := r.state("source", "app01"); len(s.Rules) != 2 || s.HAOverride == nil {
		t.Fatalf("%+v", s.MetadataState)
	}
	r.ok(vm.Relocate(ctx, types.VirtualMachineRelocateSpec{Host: &host, Pool: &pool}, types.VirtualMachineMovePriorityDefaultPriority))
	s := r.state("source", "app01")
	if len(s.Rules)+len(s.Groups) > 0 || s.HAOverride != nil || s.DRSOverride != nil || len(s.Tags) != 2 || len(s.Permissions) != 2 {
		t.Errorf("%+v", s.MetadataState)
	}
	if g := r.Lab().State().VCenters["source"].Clusters[0].Groups[0]; !slices.Equal(g.VMs, []string{"app02"}) {
		t.Errorf("%+v", g)
	}
}

func (r *running) setPermissions(c *client, e types.ManagedObjectReference, list ...types.Permission) error {
	_, err := methods.SetEntityPermissions(context.Background(), c.Client, &types.SetEntityPermissions{
		This: *c.ServiceContent.AuthorizationManager, Entity: e, Permission: list,
	})
	return err
}
