package lab

import (
	"reflect"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// clusterDefaults is the configuration of a new cluster.
func (vc *VC) clusterDefaults() *types.ClusterConfigInfoEx {
	no := types.NewBool(false)
	cfg := &types.ClusterConfigInfoEx{
		ComputeResourceConfigInfo: types.ComputeResourceConfigInfo{VmSwapPlacement: string(types.VirtualMachineConfigInfoSwapPlacementTypeVmDirectory)},
		VsanConfigInfo:            &types.VsanClusterConfigInfo{Enabled: no, DefaultConfig: &types.VsanClusterConfigInfoHostDefaultInfo{AutoClaimStorage: no}},
		DasConfig: types.ClusterDasConfigInfo{
			Enabled: no, AdmissionControlEnabled: types.NewBool(true), VmMonitoring: "vmMonitoringDisabled", HostMonitoring: "enabled",
			VmComponentProtecting: "disabled", HBDatastoreCandidatePolicy: "allFeasibleDsWithUserPreference", FailoverLevel: 1,
			AdmissionControlPolicy: &types.ClusterFailoverLevelAdmissionControlPolicy{FailoverLevel: 1},
			DefaultVmSettings: &types.ClusterDasVmSettings{
				RestartPriority: "medium", RestartPriorityTimeout: -1, IsolationResponse: "none",
				VmToolsMonitoringSettings: &types.ClusterVmToolsMonitoringSettings{
					Enabled: no, VmMonitoring: "vmMonitoringDisabled", ClusterSettings: no, FailureInterval: 30, MinUpTime: 120, MaxFailures: 3, MaxFailureWindow: -1,
				},
				VmComponentProtectionSettings: &types.ClusterVmComponentProtectionSettings{
					VmStorageProtectionForAPD: "disabled", VmStorageProtectionForPDL: "disabled", EnableAPDTimeoutForHosts: no, VmTerminateDelayForAPDSec: 180,
					VmReactionOnAPDCleared: "none",
				},
			},
		},
		DrsConfig: types.ClusterDrsConfigInfo{
			Enabled: no, EnableVmBehaviorOverrides: types.NewBool(true), DefaultVmBehavior: types.DrsBehaviorFullyAutomated, VmotionRate: 3,
		},
		DpmConfigInfo: &types.ClusterDpmConfigInfo{Enabled: no, DefaultDpmBehavior: types.DpmBehaviorAutomated, HostPowerActionRate: 3},
	}
	if scenario.Compare(vc.Spec.API, "6.5") >= 0 {
		cfg.InfraUpdateHaConfig = &types.ClusterInfraUpdateHaConfigInfo{Enabled: no, Behavior: "Manual", ModerateRemediation: "QuarantineMode", SevereRemediation: "QuarantineMode"}
		cfg.Orchestration = &types.ClusterOrchestrationInfo{DefaultVmReadiness: &types.ClusterVmReadiness{ReadyCondition: "none"}}
		cfg.ProactiveDrsConfig = &types.ClusterProactiveDrsConfigInfo{Enabled: no}
	}
	return cfg
}

// merge copies every set field of a struct over another, into nested structs too. Structs behind pointers are replaced and not
// changed: someone may be reading them.
func merge(dst, src reflect.Value) {
	for i := range src.NumField() {
		s, d := src.Field(i), dst.Field(i)
		switch {
		case s.IsZero():
		case s.Kind() == reflect.Struct:
			merge(d, s)
		case s.Kind() == reflect.Pointer && s.Elem().Kind() == reflect.Struct && !d.IsNil():
			n := reflect.New(d.Type().Elem())
			n.Elem().Set(d.Elem())
			merge(n.Elem(), s.Elem())
			d.Set(n)
		default:
			d.Set(s)
		}
	}
}

// merged returns a copy of old with what is set in spec; either may be nil.
func merged[T any](old, spec *T) *T {
	if spec == nil {
		return old
	}
	if old == nil {
		return pointer(*spec)
	}
	n := pointer(*old)
	merge(reflect.ValueOf(n).Elem(), reflect.ValueOf(spec).Elem())
	return n
}

// configureCluster gives a cluster a base configuration (its present one, without one) with what a spec says: all of it or, with a
// fault, nothing.
func (vc *VC) configureCluster(c *simulator.ClusterComputeResource, base *types.ClusterConfigInfoEx, s *types.ClusterConfigSpecEx) (problem types.BaseMethodFault) {
	vc.clusters.Lock() // one change of rules, groups and overrides after another
	defer vc.clusters.Unlock()
	e := clusterEdit{vc: vc, cluster: c}
	vc.read(c, func() {
		e.hosts = c.Host
		if base == nil {
			base = c.ConfigurationEx.(*types.ClusterConfigInfoEx)
		}
	})
	cfg := *base
	e.cfg = &cfg
	for _, step := range []func() types.BaseMethodFault{
		func() types.BaseMethodFault { return e.groups(s.GroupSpec) }, // rules refer to them
		func() types.BaseMethodFault { return e.rules(s.RulesSpec) },
		func() types.BaseMethodFault { return e.haOverrides(s.DasVmConfigSpec) },
		func() types.BaseMethodFault { return e.drsOverrides(s.DrsVmConfigSpec) },
	} {
		if problem = step(); problem != nil {
			return problem
		}
	}
	ctx := vc.newCtx()
	ctx.WithLock(c, func() {
		cfg.DasConfig = *merged(&cfg.DasConfig, s.DasConfig)
		if s.DasConfig != nil {
			switch p := s.DasConfig.AdmissionControlPolicy.(type) {
			case nil:
			case *types.ClusterFailoverLevelAdmissionControlPolicy:
				cfg.DasConfig.FailoverLevel = p.FailoverLevel
			}
		}
		cfg.DrsConfig = *merged(&cfg.DrsConfig, s.DrsConfig)
		cfg.DpmConfigInfo = merged(cfg.DpmConfigInfo, s.DpmConfig)
		cfg.InfraUpdateHaConfig = merged(cfg.InfraUpdateHaConfig, s.InfraUpdateHaConfig)
		cfg.Orchestration = merged(cfg.Orchestration, s.Orchestration)
		cfg.ProactiveDrsConfig = merged(cfg.ProactiveDrsConfig, s.ProactiveDrsConfig)
		if s.VsanConfig != nil {
			cfg.VsanConfigInfo = merged(cfg.VsanConfigInfo, s.VsanConfig)
		}
		if s.VmSwapPlacement != "" {
			cfg.VmSwapPlacement = s.VmSwapPlacement
		}
		c.ConfigurationEx = &cfg
		ctx.Update(c, []types.PropertyChange{{Name: "configurationEx", Val: &cfg}})
	})
	vc.countHA(c)
	return nil
}

// countHA counts the hosts that HA may use.
func (vc *VC) countHA(c *simulator.ClusterComputeResource) {
	ctx := vc.newCtx()
	ctx.WithLock(c, func() {
		sum := *c.Summary.(*types.ClusterComputeResourceSummary)
		sum.CurrentFailoverLevel = max(0, sum.NumEffectiveHosts-1)
		ctx.Update(c, []types.PropertyChange{{Name: "summary", Val: &sum}})
	})
}
