package lab

import (
	"reflect"
	"slices"

	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// A client that knows the type of a reference only at run time (pyVmomi, in removeKey) calls it a ManagedObject, as vSphere allows.
func init() { types.Add("ManagedObject", reflect.TypeFor[types.ManagedObjectReference]()) }

func badOverride(property, format string, args ...any) types.BaseMethodFault {
	return because(&types.InvalidArgument{InvalidProperty: "spec." + property}, format, args...)
}

// override is where an override stands that an operation means: -1 for one to be added. There is at most one of a VM.
func (e *clusterEdit) override(property string, s types.ArrayUpdateSpec, vm *types.ManagedObjectReference, find func(types.ManagedObjectReference) int) (int, types.BaseMethodFault) {
	if s.Operation == types.ArrayUpdateOperationRemove {
		key, _ := s.RemoveKey.(types.ManagedObjectReference)
		if at := find(key); at >= 0 {
			return at, nil
		}
		return -1, badOverride(property, "There is no override to remove.")
	}
	if vm == nil {
		return -1, badOverride(property, "The override is missing.")
	}
	if f := e.member("spec."+property, *vm); f != nil {
		return -1, f
	}
	at := find(*vm)
	switch {
	case s.Operation == types.ArrayUpdateOperationAdd && at < 0, s.Operation == types.ArrayUpdateOperationEdit && at >= 0:
		return at, nil
	case s.Operation == types.ArrayUpdateOperationAdd:
		return -1, badOverride(property, "The virtual machine has an override already.")
	}
	return -1, badOverride(property, "There is no override to edit.")
}

// haOverrides adds, edits and removes what HA does with single VMs. The deprecated properties follow the settings.
func (e *clusterEdit) haOverrides(specs []types.ClusterDasVmConfigSpec) types.BaseMethodFault {
	const property = "dasVmConfigSpec"
	for _, s := range specs {
		var vm *types.ManagedObjectReference
		if s.Info != nil {
			vm = &s.Info.Key
		}
		at, f := e.override(property, s.ArrayUpdateSpec, vm, func(vm types.ManagedObjectReference) int {
			return slices.IndexFunc(e.cfg.DasVmConfig, func(x types.ClusterDasVmConfigInfo) bool { return x.Key == vm })
		})
		if f != nil {
			return f
		}
		e.cfg.DasVmConfig = slices.Clone(e.cfg.DasVmConfig)
		if s.Operation == types.ArrayUpdateOperationRemove {
			e.cfg.DasVmConfig = slices.Delete(e.cfg.DasVmConfig, at, at+1)
			continue
		}
		x := types.ClusterDasVmConfigInfo{Key: s.Info.Key, DasSettings: &types.ClusterDasVmSettings{
			RestartPriority: "clusterRestartPriority", RestartPriorityTimeout: -1, IsolationResponse: "clusterIsolationResponse",
		}}
		if at >= 0 {
			x = e.cfg.DasVmConfig[at]
		}
		if s.Info.DasSettings == nil {
			return badOverride(property, "The lab knows overrides by dasSettings only.")
		}
		x.DasSettings = merged(x.DasSettings, s.Info.DasSettings)
		p := x.DasSettings.RestartPriority
		if !slices.Contains(scenario.RestartPriorities, p) || !scenario.KnowsPriority(e.vc.Spec.API, p) {
			return badOverride(property, "There is no restart priority '%s'.", p)
		}
		if !slices.Contains(scenario.IsolationResponses, x.DasSettings.IsolationResponse) {
			return badOverride(property, "There is no isolation response '%s'.", x.DasSettings.IsolationResponse)
		}
		switch p { // the older enumeration has no lowest and highest
		case "disabled", "low", "medium", "high":
			x.RestartPriority = types.DasVmPriority(p)
		default:
			x.RestartPriority = ""
		}
		if at >= 0 {
			e.cfg.DasVmConfig[at] = x
		} else {
			e.cfg.DasVmConfig = append(e.cfg.DasVmConfig, x)
		}
	}
	return nil
}

// drsOverrides adds, edits and removes what DRS does with single VMs.
func (e *clusterEdit) drsOverrides(specs []types.ClusterDrsVmConfigSpec) types.BaseMethodFault {
	const property = "drsVmConfigSpec"
	for _, s := range specs {
		var vm *types.ManagedObjectReference
		if s.Info != nil {
			vm = &s.Info.Key
		}
		at, f := e.override(property, s.ArrayUpdateSpec, vm, func(vm types.ManagedObjectReference) int {
			return slices.IndexFunc(e.cfg.DrsVmConfig, func(x types.ClusterDrsVmConfigInfo) bool { return x.Key == vm })
		})
		if f != nil {
			return f
		}
		e.cfg.DrsVmConfig = slices.Clone(e.cfg.DrsVmConfig)
		if s.Operation == types.ArrayUpdateOperationRemove {
			e.cfg.DrsVmConfig = slices.Delete(e.cfg.DrsVmConfig, at, at+1)
			continue
		}
		x := types.ClusterDrsVmConfigInfo{Key: s.Info.Key, Enabled: types.NewBool(true), Behavior: e.cfg.DrsConfig.DefaultVmBehavior}
		if at >= 0 {
			x = e.cfg.DrsVmConfig[at]
		}
		merge(reflect.ValueOf(&x).Elem(), reflect.ValueOf(s.Info).Elem())
		if !slices.Contains(scenario.Behaviors, string(x.Behavior)) {
			return badOverride(property, "There is no automation level '%s'.", x.Behavior)
		}
		if at >= 0 {
			e.cfg.DrsVmConfig[at] = x
		} else {
			e.cfg.DrsVmConfig = append(e.cfg.DrsVmConfig, x)
		}
	}
	return nil
}
