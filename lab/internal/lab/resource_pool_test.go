package lab

import (
	"context"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

func (r *running) pool(c *client, path string) *object.ResourcePool {
	r.t.Helper()
	p, err := c.finder.ResourcePool(context.Background(), path)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// pooled is the specification of a pool with other reservations: of the CPUs in MHz, of the memory in MB.
func pooled(cpu, memory int64) types.ResourceConfigSpec {
	c := defaultPool()
	c.CpuAllocation.Reservation, c.MemoryAllocation.Reservation = &cpu, &memory
	return c
}

func TestResourcePools(t *testing.T) {
	r, ctx := startMetadata(t, nil), context.Background()
	root := r.pool(r.source, "prod6/Resources")
	p, err := root.Create(ctx, "batch", pooled(1000, 2048))
	if err != nil {
		t.Fatal(err)
	}
	limit := int64(4000)
	change := types.ResourceConfigSpec{CpuAllocation: types.ResourceAllocationInfo{
		Limit: &limit, Shares: &types.SharesInfo{Level: types.SharesLevelHigh, Shares: 1},
	}}
	if err := p.UpdateConfig(ctx, "night", &change); err != nil {
		t.Fatal(err)
	}
	var got mo.ResourcePool
	if err := p.Properties(ctx, p.Reference(), []string{"name", "config.cpuAllocation", "config.memoryAllocation", "summary"}, &got); err != nil {
		t.Fatal(err)
	}
	if a := got.Config.CpuAllocation; got.Name != "night" || *a.Limit != 4000 || *a.Reservation != 1000 || a.Shares.Shares != 8000 || *got.Config.MemoryAllocation.Reservation != 2048 {
		t.Errorf("%s %+v", got.Name, got.Config)
	}
	if s := got.Summary.GetResourcePoolSummary(); s.Name != "night" || *s.Config.CpuAllocation.Limit != 4000 {
		t.Errorf("summary %+v", s)
	}
	if s := r.Lab().State().VCenters["source"].Clusters[0].Pools["night"]; s.CPU != (AllocationState{"high", 8000, 1000, 4000, true}) {
		t.Errorf("%+v", s)
	}
}

func TestResourcePoolsThatVSphereRefuses(t *testing.T) {
	r, ctx := startMetadata(t, nil), context.Background()
	root := r.pool(r.source, "prod6/Resources")
	create := func(parent *object.ResourcePool, name string, c types.ResourceConfigSpec) error {
		_, err := parent.Create(ctx, name, c)
		return err
	}
	refused[*types.DuplicateName](t, create(root, "test", pooled(0, 0)))
	refused[*types.InvalidName](t, create(root, "", pooled(0, 0)))
	refused[*types.InvalidArgument](t, create(root, "x", types.ResourceConfigSpec{}))
	refused[*types.InvalidArgument](t, create(root, "x", pooled(-1, 0)))
	bad := pooled(2000, 0)
	bad.CpuAllocation.Limit = types.NewInt64(1000)
	refused[*types.InvalidArgument](t, create(root, "x", bad))
	bad = pooled(0, 0)
	bad.CpuAllocation.Shares = &types.SharesInfo{Level: types.SharesLevelCustom}
	refused[*types.InvalidArgument](t, create(root, "x", bad))

	// The two hosts have 2 × 16 × 2600 MHz; production has reserved 8000 of them.
	refused[*types.InsufficientCpuResourcesFault](t, create(root, "x", pooled(2*16*2600-8000+1, 0)))
	if err := create(root, "x", pooled(2*16*2600-8000, 0)); err != nil {
		t.Fatal(err)
	}
	// Nothing is left: production has 4000 MHz for more children of its own, whether or not it could expand.
	production := r.pool(r.source, "prod6/Resources/production")
	refused[*types.InsufficientCpuResourcesFault](t, create(production, "y", pooled(4001, 0)))
	if err := create(production, "y", pooled(4000, 0)); err != nil {
		t.Fatal(err)
	}
	databases := r.pool(r.source, "prod6/Resources/production/databases") // not expandable: 16 GB and no more
	refused[*types.InsufficientMemoryResourcesFault](t, create(databases, "z", pooled(0, 16385)))

	old := types.ResourceConfigSpec{ChangeVersion: "1"}
	refused[*types.ConcurrentAccess](t, databases.UpdateConfig(ctx, "", &old))
	refused[*types.NotSupported](t, root.UpdateConfig(ctx, "", &types.ResourceConfigSpec{}))
	r.ok(r.cluster(r.source, "prod6").Reconfigure(ctx, &types.ClusterConfigSpecEx{DrsConfig: &types.ClusterDrsConfigInfo{Enabled: types.NewBool(false)}}, true))
	refused[*types.NotSupported](t, create(root, "w", pooled(0, 0)))
}
