package lab

import (
	"reflect"
	"slices"

	"github.com/vmware/govmomi/vim25/types"
)

func badGroup(format string, args ...any) types.BaseMethodFault {
	return because(&types.InvalidArgument{InvalidProperty: "spec.groupSpec"}, format, args...)
}

// groups adds, edits and removes groups of VMs and of hosts. A group is known by its name; an edit replaces its members.
func (e *clusterEdit) groups(specs []types.ClusterGroupSpec) types.BaseMethodFault {
	for _, s := range specs {
		name, _ := s.RemoveKey.(string)
		if s.Operation != types.ArrayUpdateOperationRemove {
			if s.Info == nil {
				return badGroup("A group is missing.")
			}
			name = s.Info.GetClusterGroupInfo().Name
		}
		at := slices.IndexFunc(e.cfg.Group, func(g types.BaseClusterGroupInfo) bool { return g.GetClusterGroupInfo().Name == name })
		e.cfg.Group = slices.Clone(e.cfg.Group)
		switch s.Operation {
		case types.ArrayUpdateOperationAdd:
			if name == "" {
				return badGroup("A group needs a name.")
			}
			if at >= 0 {
				return &types.DuplicateName{Name: name, Object: e.cluster.Self}
			}
			g, f := e.group(s.Info)
			if f != nil {
				return f
			}
			e.cfg.Group = append(e.cfg.Group, g)
		case types.ArrayUpdateOperationEdit:
			if at < 0 || reflect.TypeOf(e.cfg.Group[at]) != reflect.TypeOf(s.Info) {
				return badGroup("There is no group '%s' of this kind.", name)
			}
			g, f := e.group(s.Info)
			if f != nil {
				return f
			}
			g.GetClusterGroupInfo().UniqueID = e.cfg.Group[at].GetClusterGroupInfo().UniqueID
			e.cfg.Group[at] = g
		case types.ArrayUpdateOperationRemove:
			if at < 0 {
				return badGroup("There is no group '%s'.", name)
			}
			if rule := e.user(name); rule != "" {
				return because(&types.ResourceInUse{Type: "ClusterGroupInfo", Name: name}, "Rule '%s' needs it.", rule)
			}
			e.cfg.Group = slices.Delete(e.cfg.Group, at, at+1)
		default:
			return badGroup("The operation is missing.")
		}
	}
	return nil
}

// user is the rule that needs a group, or nothing.
func (e *clusterEdit) user(group string) string {
	for _, r := range e.cfg.Rule {
		if x, ok := r.(*types.ClusterVmHostRuleInfo); ok && (x.VmGroupName == group || x.AffineHostGroupName == group || x.AntiAffineHostGroupName == group) {
			return x.Name
		}
	}
	return ""
}

// group checks the members of a group and completes it.
func (e *clusterEdit) group(info types.BaseClusterGroupInfo) (types.BaseClusterGroupInfo, types.BaseMethodFault) {
	name := info.GetClusterGroupInfo().Name
	base := types.ClusterGroupInfo{Name: name, UserCreated: types.NewBool(true), UniqueID: e.vc.lab.ID.UUID("group", e.vc.Spec.Name, e.cluster.Self.Value, name)}
	switch x := info.(type) {
	case *types.ClusterVmGroup:
		if len(x.Vm) == 0 {
			return nil, badGroup("The group has no members.")
		}
		return &types.ClusterVmGroup{ClusterGroupInfo: base, Vm: x.Vm}, e.members("spec.groupSpec", x.Vm)
	case *types.ClusterHostGroup:
		if len(x.Host) == 0 {
			return nil, badGroup("The group has no members.")
		}
		for _, h := range x.Host {
			if !slices.Contains(e.hosts, h) {
				return nil, badGroup("Host %s is not in the cluster.", h.Value)
			}
		}
		return &types.ClusterHostGroup{ClusterGroupInfo: base, Host: x.Host}, nil
	}
	return nil, badGroup("A group is of virtual machines or of hosts.")
}
