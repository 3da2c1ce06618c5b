package lab

import (
	"reflect"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// clusterEdit changes a copy of a cluster's configuration, as one ReconfigureComputeResource_Task asks for: all of it or nothing.
type clusterEdit struct {
	vc      *VC
	cluster *simulator.ClusterComputeResource
	cfg     *types.ClusterConfigInfoEx
	hosts   []types.ManagedObjectReference
}

// member checks that a VM is registered in the cluster. A template is in none.
func (e *clusterEdit) member(property string, vm types.ManagedObjectReference) types.BaseMethodFault {
	m := e.vc.machines.get(vm)
	if m == nil {
		return &types.ManagedObjectNotFound{Obj: vm}
	}
	if owner := e.vc.clusterOf(m); owner == nil || owner.Self != e.cluster.Self {
		return because(&types.InvalidArgument{InvalidProperty: property}, "Virtual machine '%s' is not in the cluster.", m.name())
	}
	return nil
}

func (e *clusterEdit) members(property string, vms []types.ManagedObjectReference) types.BaseMethodFault {
	seen := map[types.ManagedObjectReference]bool{}
	for _, vm := range vms {
		if seen[vm] {
			return because(&types.InvalidArgument{InvalidProperty: property}, "A virtual machine is named twice.")
		}
		seen[vm] = true
		if f := e.member(property, vm); f != nil {
			return f
		}
	}
	return nil
}

// clusterOf is the cluster that a VM is in by its pool, or nil.
func (vc *VC) clusterOf(m *machine) *simulator.ClusterComputeResource {
	var pool *types.ManagedObjectReference
	m.read(func(vm *simulator.VirtualMachine) { pool = vm.ResourcePool })
	if pool == nil {
		return nil
	}
	owner := vc.computeResource(*pool)
	if owner == nil {
		return nil
	}
	c, _ := get[*simulator.ClusterComputeResource](vc, owner.Self)
	return c
}

func badRule(format string, args ...any) types.BaseMethodFault {
	return because(&types.InvalidArgument{InvalidProperty: "spec.rulesSpec"}, format, args...)
}

// rules adds, edits and removes rules. An edited rule is known by its key; what the edit leaves out stays.
func (e *clusterEdit) rules(specs []types.ClusterRuleSpec) types.BaseMethodFault {
	for _, s := range specs {
		at := -1
		switch s.Operation {
		case types.ArrayUpdateOperationAdd:
			if s.Info == nil {
				return badRule("A rule is missing.")
			}
		case types.ArrayUpdateOperationEdit, types.ArrayUpdateOperationRemove:
			key, ok := s.RemoveKey.(int32)
			if s.Operation == types.ArrayUpdateOperationEdit {
				if ok = s.Info != nil; ok {
					key = s.Info.GetClusterRuleInfo().Key
				}
			}
			at = slices.IndexFunc(e.cfg.Rule, func(r types.BaseClusterRuleInfo) bool { return ok && r.GetClusterRuleInfo().Key == key })
			if at < 0 {
				return badRule("There is no rule with this key.")
			}
		default:
			return badRule("The operation is missing.")
		}
		if s.Operation == types.ArrayUpdateOperationRemove {
			e.cfg.Rule = slices.Delete(slices.Clone(e.cfg.Rule), at, at+1)
			continue
		}
		if f := e.putRule(at, s.Info); f != nil {
			return f
		}
	}
	return nil
}

// putRule adds a rule (at -1) or edits the one at a place.
func (e *clusterEdit) putRule(at int, info types.BaseClusterRuleInfo) types.BaseMethodFault {
	rule := reflect.New(reflect.TypeOf(info).Elem())
	if at >= 0 {
		old := reflect.ValueOf(e.cfg.Rule[at])
		if old.Type() != rule.Type() {
			return badRule("A rule cannot become one of another kind.")
		}
		rule.Elem().Set(old.Elem())
	}
	merge(rule.Elem(), reflect.ValueOf(info).Elem())
	r := rule.Interface().(types.BaseClusterRuleInfo)
	x := r.GetClusterRuleInfo()
	if x.Name == "" {
		return badRule("A rule needs a name.")
	}
	for i, other := range e.cfg.Rule {
		if i != at && other.GetClusterRuleInfo().Name == x.Name {
			return &types.DuplicateName{Name: x.Name, Object: e.cluster.Self}
		}
	}
	if at < 0 {
		x.Key = 1
		for _, other := range e.cfg.Rule {
			x.Key = max(x.Key, other.GetClusterRuleInfo().Key+1)
		}
		x.RuleUuid = e.vc.lab.ID.UUID("rule", e.vc.Spec.Name, e.cluster.Self.Value, x.Name)
		x.UserCreated, x.Status = types.NewBool(true), types.ManagedEntityStatusGreen
		for _, p := range []**bool{&x.Enabled, &x.Mandatory} {
			if *p == nil {
				*p = types.NewBool(false)
			}
		}
	}
	if f := e.checkRule(r, at); f != nil {
		return f
	}
	e.cfg.Rule = slices.Clone(e.cfg.Rule)
	if at < 0 {
		e.cfg.Rule = append(e.cfg.Rule, r)
	} else {
		e.cfg.Rule[at] = r
	}
	return nil
}

// checkRule checks what a rule is about.
func (e *clusterEdit) checkRule(r types.BaseClusterRuleInfo, at int) types.BaseMethodFault {
	switch x := r.(type) {
	case *types.ClusterAffinityRuleSpec, *types.ClusterAntiAffinityRuleSpec:
		vms := ruleVMs(r)
		if len(vms) < 2 {
			return badRule("A rule of virtual machines needs at least two.")
		}
		if f := e.members("spec.rulesSpec", vms); f != nil {
			return f
		}
		return e.conflict(r, at)
	case *types.ClusterVmHostRuleInfo:
		if (x.AffineHostGroupName == "") == (x.AntiAffineHostGroupName == "") {
			return badRule("The rule needs one group of hosts.")
		}
		if !e.has(x.VmGroupName, func(g types.BaseClusterGroupInfo) bool { _, ok := g.(*types.ClusterVmGroup); return ok }) {
			return badRule("There is no group '%s' of virtual machines.", x.VmGroupName)
		}
		hosts := x.AffineHostGroupName + x.AntiAffineHostGroupName
		if !e.has(hosts, func(g types.BaseClusterGroupInfo) bool { _, ok := g.(*types.ClusterHostGroup); return ok }) {
			return badRule("There is no group '%s' of hosts.", hosts)
		}
		return nil
	}
	return because(new(types.NotSupported), "The lab does not model this kind of rule.")
}

// conflict refuses an enabled rule of VMs that contradicts another: vSphere enables only one of the two.
func (e *clusterEdit) conflict(r types.BaseClusterRuleInfo, at int) types.BaseMethodFault {
	if !isTrue(r.GetClusterRuleInfo().Enabled) {
		return nil
	}
	vms := ruleVMs(r)
	for i, other := range e.cfg.Rule {
		if i == at || !isTrue(other.GetClusterRuleInfo().Enabled) || reflect.TypeOf(other) == reflect.TypeOf(r) {
			continue
		}
		both := slices.DeleteFunc(slices.Clone(ruleVMs(other)), func(vm types.ManagedObjectReference) bool { return !slices.Contains(vms, vm) })
		if len(both) > 1 {
			return badRule("The rule contradicts rule '%s'; only one of them can be enabled.", other.GetClusterRuleInfo().Name)
		}
	}
	return nil
}

// ruleVMs are the VMs that a rule names itself.
func ruleVMs(r types.BaseClusterRuleInfo) []types.ManagedObjectReference {
	switch x := r.(type) {
	case *types.ClusterAffinityRuleSpec:
		return x.Vm
	case *types.ClusterAntiAffinityRuleSpec:
		return x.Vm
	}
	return nil
}

func (e *clusterEdit) has(group string, kind func(types.BaseClusterGroupInfo) bool) bool {
	return slices.ContainsFunc(e.cfg.Group, func(g types.BaseClusterGroupInfo) bool { return g.GetClusterGroupInfo().Name == group && kind(g) })
}

// leaveClusters takes a VM out of the rules, groups and overrides of every cluster but the one that it is in now, as happens to a
// VM that is unregistered, becomes a template or goes to another cluster. A rule goes with its last VM, a group stays.
// A host that is removed leaves its groups.
func (vc *VC) leaveClusters(vm types.ManagedObjectReference) {
	vc.clusters.Lock()
	defer vc.clusters.Unlock()
	var stays *simulator.ClusterComputeResource
	if m := vc.machines.get(vm); m != nil {
		stays = vc.clusterOf(m)
	}
	for _, c := range all[*simulator.ClusterComputeResource](vc, "ClusterComputeResource") {
		if c == stays {
			continue
		}
		ctx := vc.newCtx()
		ctx.WithLock(c, func() {
			if cfg := (*c.ConfigurationEx.(*types.ClusterConfigInfoEx)); forget(&cfg, vm) {
				ctx.Update(c, []types.PropertyChange{{Name: "configurationEx", Val: &cfg}})
			}
		})
	}
}

// forget takes a VM out of a configuration, and reports whether it was in it.
func forget(cfg *types.ClusterConfigInfoEx, vm types.ManagedObjectReference) (was bool) {
	var rules []types.BaseClusterRuleInfo
	for _, r := range cfg.Rule {
		if slices.Contains(ruleVMs(r), vm) {
			was = true
			left := without(ruleVMs(r), vm)
			if len(left) == 0 {
				continue
			}
			switch x := r.(type) {
			case *types.ClusterAffinityRuleSpec:
				r = &types.ClusterAffinityRuleSpec{ClusterRuleInfo: x.ClusterRuleInfo, Vm: left}
			case *types.ClusterAntiAffinityRuleSpec:
				r = &types.ClusterAntiAffinityRuleSpec{ClusterRuleInfo: x.ClusterRuleInfo, Vm: left}
			}
		}
		rules = append(rules, r)
	}
	groups := slices.Clone(cfg.Group)
	for i, g := range groups {
		switch x := g.(type) {
		case *types.ClusterVmGroup:
			if slices.Contains(x.Vm, vm) {
				was = true
				groups[i] = &types.ClusterVmGroup{ClusterGroupInfo: x.ClusterGroupInfo, Vm: without(x.Vm, vm)}
			}
		case *types.ClusterHostGroup:
			if slices.Contains(x.Host, vm) {
				was = true
				groups[i] = &types.ClusterHostGroup{ClusterGroupInfo: x.ClusterGroupInfo, Host: without(x.Host, vm)}
			}
		}
	}
	das := slices.DeleteFunc(slices.Clone(cfg.DasVmConfig), func(x types.ClusterDasVmConfigInfo) bool { return x.Key == vm })
	drs := slices.DeleteFunc(slices.Clone(cfg.DrsVmConfig), func(x types.ClusterDrsVmConfigInfo) bool { return x.Key == vm })
	was = was || len(das) < len(cfg.DasVmConfig) || len(drs) < len(cfg.DrsVmConfig)
	cfg.Rule, cfg.Group, cfg.DasVmConfig, cfg.DrsVmConfig = rules, groups, das, drs
	return was
}

// before reports whether the vCenter's API is older than a version.
func (vc *VC) before(version string) bool { return scenario.Compare(vc.Spec.API, version) < 0 }
