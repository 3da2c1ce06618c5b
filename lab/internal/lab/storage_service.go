package lab

import (
	"fmt"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// What a vCenter itself does with datastores when the lab starts: clusters of them, and Storage I/O Control.

// storageIOControl is the configuration of Storage I/O Control, with vSphere's defaults.
func storageIOControl(on bool) *types.StorageIORMInfo {
	return &types.StorageIORMInfo{
		Enabled: on, CongestionThresholdMode: string(types.StorageIORMThresholdModeAutomatic), CongestionThreshold: 30, PercentOfPeakThroughput: 90,
		StatsCollectionEnabled: on,
	}
}

func (vc *VC) usesStorageIOControl(ref types.ManagedObjectReference) (on bool) {
	if ds, ok := get[*simulator.Datastore](vc, ref); ok {
		vc.read(ds, func() { on = ds.IormConfiguration != nil && ds.IormConfiguration.Enabled })
	}
	return on
}

// seedStorage makes the datastore clusters of the scenario and switches Storage I/O Control on.
func seedStorage(vc *VC) error {
	sioc := map[string]bool{}
	for _, a := range vc.lab.Scenario.Arrays {
		for _, lun := range a.LUNs {
			if lun.VMFS != nil && lun.VMFS.SIOC {
				sioc[lun.VMFS.Name] = true
			}
		}
	}
	for _, ds := range all[*simulator.Datastore](vc, "Datastore") {
		if sioc[vc.nameOf(ds)] {
			vc.update(ds, types.PropertyChange{Name: "iormConfiguration", Val: storageIOControl(true)})
		}
	}
	for i := range vc.Spec.Datacenters {
		spec := &vc.Spec.Datacenters[i]
		dc, ok := vc.find(vc.Model.ServiceContent.RootFolder, spec.Name).(*simulator.Datacenter)
		if !ok {
			return fmt.Errorf("there is no datacenter %s", spec.Name)
		}
		folder, _ := get[*simulator.Folder](vc, dc.DatastoreFolder)
		for _, s := range spec.StoragePods {
			pod := &simulator.StoragePod{}
			pod.Name, pod.ChildType = s.Name, []string{"Datastore"}
			pod.Summary = &types.StoragePodSummary{Name: s.Name}
			pod.PodStorageDrsEntry = new(types.PodStorageDrsEntry)
			vc.insert(folder, pod)
			vc.read(pod, func() { pod.PodStorageDrsEntry.StorageDrsConfig.PodConfig.Enabled = s.StorageDRS })
			for _, name := range s.Datastores {
				v := vc.volumeNamed(dc, name)
				if v == nil {
					return fmt.Errorf("datastore cluster %s: no host of datacenter %s has mounted %s", s.Name, spec.Name, name)
				}
				ds, _ := get[*simulator.Datastore](vc, v.ref)
				vc.intoPod(folder, pod, ds)
			}
		}
	}
	return nil
}

// intoPod moves a datastore from a folder into a datastore cluster.
func (vc *VC) intoPod(from *simulator.Folder, pod *simulator.StoragePod, ds *simulator.Datastore) {
	self := ds.Self
	vc.children(from, func(c []types.ManagedObjectReference) []types.ManagedObjectReference { return without(c, self) })
	vc.children(pod, func(c []types.ManagedObjectReference) []types.ManagedObjectReference { return with(c, self) })
	vc.update(ds, types.PropertyChange{Name: "parent", Val: pointer(pod.Self)})
	var capacity, free int64
	vc.read(ds, func() { capacity, free = ds.Summary.Capacity, ds.Summary.FreeSpace })
	vc.read(pod, func() {
		s := *pod.Summary
		s.Capacity, s.FreeSpace = s.Capacity+capacity, s.FreeSpace+free
		pod.Summary = &s
	})
}

// ConfigureDatastoreIORMTask switches Storage I/O Control on or off.
func (o *storageResources) ConfigureDatastoreIORMTask(req *types.ConfigureDatastoreIORM_Task) soap.HasFault {
	body, vc := &methods.ConfigureDatastoreIORM_TaskBody{}, o.vc
	ds, ok := get[*simulator.Datastore](vc, req.Datastore)
	if !ok {
		body.Fault_ = fault(&types.ManagedObjectNotFound{Obj: req.Datastore})
		return body
	}
	ref := vc.run(ds, "StorageResourceManager.configureDatastoreIORM", vc.nameOf(ds), func(j *job) (types.AnyType, types.BaseMethodFault) {
		if req.Spec.Enabled == nil {
			return nil, because(new(types.NotSupported), "The lab only switches Storage I/O Control on and off.")
		}
		if problem := j.sleep(vc.lab.Scenario.Durations.Other); problem != nil {
			return nil, problem
		}
		vc.update(ds, types.PropertyChange{Name: "iormConfiguration", Val: storageIOControl(*req.Spec.Enabled)})
		return nil, nil
	})
	body.Res = &types.ConfigureDatastoreIORM_TaskResponse{Returnval: ref}
	return body
}
