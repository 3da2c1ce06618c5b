package lab

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// storagePod is StoragePod, a cluster of datastores.
type storagePod struct{ shadow }

// storageResources is StorageResourceManager.
type storageResources struct{ shadow }

func installStoragePod(vc *VC) {
	vc.redirect("StoragePod", &storagePod{vc.shadow("StoragePod")}, "Destroy_Task")
	vc.redirect("StorageResourceManager", &storageResources{vc.shadow("StorageResourceManager")}, "ConfigureStorageDrsForPod_Task", "ConfigureDatastoreIORM_Task")
}

// completePod fills in the configuration of a new pod: Storage DRS is off until somebody switches it on.
func completePod(p *simulator.StoragePod) {
	if p.PodStorageDrsEntry == nil || p.PodStorageDrsEntry.StorageDrsConfig.PodConfig.DefaultVmBehavior != "" {
		return
	}
	p.PodStorageDrsEntry.StorageDrsConfig.PodConfig = types.StorageDrsPodConfigInfo{
		DefaultVmBehavior: string(types.StorageDrsPodConfigInfoBehaviorManual), LoadBalanceInterval: 480, DefaultIntraVmAffinity: types.NewBool(true),
		SpaceLoadBalanceConfig: &types.StorageDrsSpaceLoadBalanceConfig{
			SpaceThresholdMode:        string(types.StorageDrsSpaceLoadBalanceConfigSpaceThresholdModeUtilization),
			SpaceUtilizationThreshold: 80, FreeSpaceThresholdGB: 50, MinSpaceUtilizationDifference: 5,
		},
		IoLoadBalanceConfig: &types.StorageDrsIoLoadBalanceConfig{
			ReservablePercentThreshold: 60, ReservableThresholdMode: string(types.StorageDrsPodConfigInfoBehaviorAutomated), IoLatencyThreshold: 15, IoLoadImbalanceThreshold: 5,
		},
		AutomationOverrides: &types.StorageDrsAutomationConfig{},
	}
}

// ConfigureStorageDrsForPodTask changes the Storage DRS of a pod.
func (o *storageResources) ConfigureStorageDrsForPodTask(req *types.ConfigureStorageDrsForPod_Task) soap.HasFault {
	body, vc := &methods.ConfigureStorageDrsForPod_TaskBody{}, o.vc
	p, ok := get[*simulator.StoragePod](vc, req.Pod)
	if !ok {
		body.Fault_ = fault(&types.ManagedObjectNotFound{Obj: req.Pod})
		return body
	}
	ref := vc.run(p, "StorageResourceManager.configureStorageDrsForPod", vc.nameOf(p), func(j *job) (types.AnyType, types.BaseMethodFault) {
		if problem := j.sleep(vc.lab.Scenario.Durations.Other); problem != nil {
			return nil, problem
		}
		s := req.Spec.PodConfigSpec
		if s == nil {
			return nil, nil
		}
		var e types.PodStorageDrsEntry
		vc.read(p, func() { e = *p.PodStorageDrsEntry })
		c := &e.StorageDrsConfig.PodConfig
		if s.Enabled != nil {
			c.Enabled = *s.Enabled
		}
		if s.IoLoadBalanceEnabled != nil {
			c.IoLoadBalanceEnabled = *s.IoLoadBalanceEnabled
		}
		if s.LoadBalanceInterval != 0 {
			c.LoadBalanceInterval = s.LoadBalanceInterval
		}
		if s.DefaultIntraVmAffinity != nil {
			c.DefaultIntraVmAffinity = s.DefaultIntraVmAffinity
		}
		c.DefaultVmBehavior = either(s.DefaultVmBehavior, c.DefaultVmBehavior)
		c.SpaceLoadBalanceConfig = merged(c.SpaceLoadBalanceConfig, s.SpaceLoadBalanceConfig)
		c.IoLoadBalanceConfig = merged(c.IoLoadBalanceConfig, s.IoLoadBalanceConfig)
		c.AutomationOverrides = merged(c.AutomationOverrides, s.AutomationOverrides)
		vc.update(p, types.PropertyChange{Name: "podStorageDrsEntry", Val: &e})
		return nil, nil
	})
	body.Res = &types.ConfigureStorageDrsForPod_TaskResponse{Returnval: ref}
	return body
}

// DestroyTask removes an empty pod; its datastores have to be moved out first.
func (o *storagePod) DestroyTask(req *types.Destroy_Task) soap.HasFault {
	body, vc := &methods.Destroy_TaskBody{}, o.vc
	p, ok := get[*simulator.StoragePod](vc, req.This)
	if !ok {
		body.Fault_ = fault(&types.ManagedObjectNotFound{Obj: req.This})
		return body
	}
	ref := vc.run(p, "Folder.destroy", vc.nameOf(p), func(*job) (types.AnyType, types.BaseMethodFault) {
		n := 0
		vc.read(p, func() { n = len(p.ChildEntity) })
		if n > 0 {
			return nil, because(&types.ResourceInUse{Type: "StoragePod", Name: vc.nameOf(p)}, "%d datastores are in it.", n)
		}
		vc.remove(p)
		return nil, nil
	})
	body.Res = &types.Destroy_TaskResponse{Returnval: ref}
	return body
}
