package lab

import (
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// MetadataState is what only the vCenter knows of a VM, beside folder, pool and custom attributes.
type MetadataState struct {
	Tags        []string          `json:"tags"` // category/tag
	Permissions []PermissionState `json:"permissions"`
	HAOverride  *HAOverrideState  `json:"haOverride"`
	DRSOverride *DRSOverrideState `json:"drsOverride"`
	Rules       []string          `json:"rules"` // that name the VM itself, or a group that it is in
	Groups      []string          `json:"groups"`
}

// PermissionState is a permission on a VM itself.
type PermissionState struct {
	Principal string `json:"principal"`
	Group     bool   `json:"group"`
	Role      string `json:"role"`
	Propagate bool   `json:"propagate"`
}

// HAOverrideState is what HA does with a VM.
type HAOverrideState struct {
	RestartPriority   string `json:"restartPriority"`
	IsolationResponse string `json:"isolationResponse"`
}

// DRSOverrideState is what DRS does with a VM.
type DRSOverrideState struct {
	Behavior string `json:"behavior"`
	Enabled  bool   `json:"enabled"`
}

// ClusterState is a cluster with its pools, by path below the root pool, rules and groups.
type ClusterState struct {
	Name       string               `json:"name"`
	Datacenter string               `json:"datacenter"`
	HA         bool                 `json:"ha"`
	DRS        bool                 `json:"drs"`
	Pools      map[string]PoolState `json:"pools"`
	Rules      []RuleState          `json:"rules"`
	Groups     []GroupState         `json:"groups"`
}

// PoolState is the configuration of a resource pool.
type PoolState struct {
	CPU    AllocationState `json:"cpu"`
	Memory AllocationState `json:"memory"`
}

// AllocationState is what a pool gets: shares by level and number, MHz or MB.
type AllocationState struct {
	Level       string `json:"level"`
	Shares      int32  `json:"shares"`
	Reservation int64  `json:"reservation"`
	Limit       int64  `json:"limit"`
	Expandable  bool   `json:"expandable"`
}

// RuleState is a DRS rule.
type RuleState struct {
	Name      string   `json:"name"`
	Kind      string   `json:"kind"` // affinity, antiAffinity or vmHost
	Enabled   bool     `json:"enabled"`
	Mandatory bool     `json:"mandatory"`
	VMs       []string `json:"vms"`
	VMGroup   string   `json:"vmGroup"`
	HostGroup string   `json:"hostGroup"`
	Affine    bool     `json:"affine"`
}

// GroupState is a DRS group.
type GroupState struct {
	Name  string   `json:"name"`
	VMs   []string `json:"vms"`
	Hosts []string `json:"hosts"`
}

func (vc *VC) metadataState(m *machine) MetadataState {
	s := MetadataState{Tags: vc.tagging.namesOf(m.self), Permissions: []PermissionState{}, Rules: []string{}, Groups: []string{}}
	for _, p := range vc.permissionsOn(m.self) {
		x := PermissionState{Principal: p.Principal, Group: p.Group, Propagate: p.Propagate}
		if r := vc.role(p.RoleId); r != nil {
			x.Role = r.Name
		}
		s.Permissions = append(s.Permissions, x)
	}
	slices.SortFunc(s.Permissions, func(a, b PermissionState) int { return strings.Compare(a.Principal, b.Principal) })
	c := vc.clusterOf(m)
	if c == nil {
		return s
	}
	cfg := vc.clusterConfig(c)
	for _, x := range cfg.DasVmConfig {
		if x.Key == m.self {
			s.HAOverride = &HAOverrideState{x.DasSettings.RestartPriority, x.DasSettings.IsolationResponse}
		}
	}
	for _, x := range cfg.DrsVmConfig {
		if x.Key == m.self {
			s.DRSOverride = &DRSOverrideState{string(x.Behavior), isTrue(x.Enabled)}
		}
	}
	for _, g := range cfg.Group {
		if x, ok := g.(*types.ClusterVmGroup); ok && slices.Contains(x.Vm, m.self) {
			s.Groups = append(s.Groups, x.Name)
		}
	}
	for _, r := range cfg.Rule {
		x, ok := r.(*types.ClusterVmHostRuleInfo)
		if slices.Contains(ruleVMs(r), m.self) || ok && slices.Contains(s.Groups, x.VmGroupName) {
			s.Rules = append(s.Rules, r.GetClusterRuleInfo().Name)
		}
	}
	slices.Sort(s.Rules)
	slices.Sort(s.Groups)
	return s
}

func (vc *VC) clusterConfig(c *simulator.ClusterComputeResource) (cfg types.ClusterConfigInfoEx) {
	vc.read(c, func() { cfg = *c.ConfigurationEx.(*types.ClusterConfigInfoEx) })
	return cfg
}

func (vc *VC) clusterStates() []ClusterState {
	out := []ClusterState{}
	for _, c := range all[*simulator.ClusterComputeResource](vc, "ClusterComputeResource") {
		cfg := vc.clusterConfig(c)
		s := ClusterState{
			Name: vc.nameOf(c), HA: isTrue(cfg.DasConfig.Enabled), DRS: isTrue(cfg.DrsConfig.Enabled),
			Pools: map[string]PoolState{}, Rules: []RuleState{}, Groups: []GroupState{},
		}
		if dc := vc.datacenterOf(c.Self); dc != nil {
			s.Datacenter = vc.nameOf(dc)
		}
		for _, pool := range all[*simulator.ResourcePool](vc, "ResourcePool") {
			if path := vc.pathOf(pool.Self); path != "" && pool.Owner == c.Self {
				p, _ := vc.poolConfig(pool)
				s.Pools[path] = PoolState{allocationState(p.CpuAllocation), allocationState(p.MemoryAllocation)}
			}
		}
		for _, r := range cfg.Rule {
			s.Rules = append(s.Rules, vc.ruleState(r))
		}
		for _, g := range cfg.Group {
			x := GroupState{Name: g.GetClusterGroupInfo().Name, VMs: []string{}, Hosts: []string{}}
			switch g := g.(type) {
			case *types.ClusterVmGroup:
				x.VMs = vc.namesOf(g.Vm)
			case *types.ClusterHostGroup:
				x.Hosts = vc.namesOf(g.Host)
			}
			s.Groups = append(s.Groups, x)
		}
		out = append(out, s)
	}
	return out
}

func allocationState(a types.ResourceAllocationInfo) AllocationState {
	return AllocationState{string(a.Shares.Level), a.Shares.Shares, *a.Reservation, *a.Limit, *a.ExpandableReservation}
}

func (vc *VC) ruleState(r types.BaseClusterRuleInfo) RuleState {
	x := r.GetClusterRuleInfo()
	s := RuleState{Name: x.Name, Enabled: isTrue(x.Enabled), Mandatory: isTrue(x.Mandatory), VMs: vc.namesOf(ruleVMs(r))}
	switch r := r.(type) {
	case *types.ClusterAffinityRuleSpec:
		s.Kind, s.Affine = "affinity", true
	case *types.ClusterAntiAffinityRuleSpec:
		s.Kind = "antiAffinity"
	case *types.ClusterVmHostRuleInfo:
		s.Kind, s.VMGroup, s.HostGroup, s.Affine = "vmHost", r.VmGroupName, r.AffineHostGroupName+r.AntiAffineHostGroupName, r.AffineHostGroupName != ""
	}
	return s
}

// namesOf are the names of entities, sorted.
func (vc *VC) namesOf(refs []types.ManagedObjectReference) []string {
	out := []string{}
	for _, r := range refs {
		if e, ok := vc.Map().Get(r).(mo.Entity); ok {
			out = append(out, vc.entityName(e))
		}
	}
	slices.Sort(out)
	return out
}
