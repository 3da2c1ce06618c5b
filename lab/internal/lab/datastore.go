package lab

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// datastore is Datastore: the simulator's own methods take the capacity of the machine that it runs on.
type datastore struct{ shadow }

func installDatastore(vc *VC) {
	vc.redirect("Datastore", &datastore{vc.shadow("Datastore")},
		"RefreshDatastore", "RefreshDatastoreStorageInfo", "Rename_Task", "RenameDatastore", "Destroy_Task", "DestroyDatastore")
}

func (o *datastore) refresh(ref types.ManagedObjectReference) *soap.Fault {
	v := o.vc.volumeOf(ref)
	if v == nil {
		return fault(&types.ManagedObjectNotFound{Obj: ref})
	}
	o.vc.lab.refreshSpace(v.uuid)
	return nil
}

// RefreshDatastore makes the free space current.
func (o *datastore) RefreshDatastore(req *types.RefreshDatastore) soap.HasFault {
	body := &methods.RefreshDatastoreBody{}
	if body.Fault_ = o.refresh(req.This); body.Fault_ == nil {
		body.Res = new(types.RefreshDatastoreResponse)
	}
	return body
}

// RefreshDatastoreStorageInfo makes the free space current.
func (o *datastore) RefreshDatastoreStorageInfo(req *types.RefreshDatastoreStorageInfo) soap.HasFault {
	body := &methods.RefreshDatastoreStorageInfoBody{}
	if body.Fault_ = o.refresh(req.This); body.Fault_ == nil {
		body.Res = new(types.RefreshDatastoreStorageInfoResponse)
	}
	return body
}

// rename changes the name, and with it the label of the volume. Another vCenter keeps its own name for it.
func (o *datastore) rename(ref types.ManagedObjectReference, name string) types.BaseMethodFault {
	vc := o.vc
	ds, ok := get[*simulator.Datastore](vc, ref)
	v := vc.volumeOf(ref)
	if !ok || v == nil {
		return &types.ManagedObjectNotFound{Obj: ref}
	}
	if !scenario.Stored(name) {
		return &types.InvalidName{Name: name}
	}
	if other := vc.volumeNamed(vc.datacenterOf(ref), name); other != nil && other.ref != ref {
		return &types.DuplicateName{Name: name, Object: other.ref}
	}
	_ = vc.lab.Fabric.Rename(v.uuid, name) // a NAS volume has no label
	vc.update(ds, types.PropertyChange{Name: "name", Val: name}, types.PropertyChange{Name: "summary.name", Val: name})
	vc.lab.storageChanged()
	return nil
}

// RenameTask renames the datastore.
func (o *datastore) RenameTask(req *types.Rename_Task) soap.HasFault {
	body := &methods.Rename_TaskBody{}
	ds, ok := get[*simulator.Datastore](o.vc, req.This)
	if !ok {
		body.Fault_ = fault(&types.ManagedObjectNotFound{Obj: req.This})
		return body
	}
	body.Res = &types.Rename_TaskResponse{Returnval: o.vc.run(ds, "Datastore.rename", o.vc.nameOf(ds), func(*job) (types.AnyType, types.BaseMethodFault) {
		return nil, o.rename(req.This, req.NewName)
	})}
	return body
}

// RenameDatastore is the older way to rename.
func (o *datastore) RenameDatastore(req *types.RenameDatastore) soap.HasFault {
	body := &methods.RenameDatastoreBody{}
	if problem := o.rename(req.This, req.NewName); problem != nil {
		body.Fault_ = fault(problem)
		return body
	}
	body.Res = new(types.RenameDatastoreResponse)
	return body
}

// destroy removes the datastore from every host that knows it; a VMFS volume is destroyed.
func (o *datastore) destroy(ref types.ManagedObjectReference) types.BaseMethodFault {
	ds, ok := get[*simulator.Datastore](o.vc, ref)
	if !ok {
		return &types.ManagedObjectNotFound{Obj: ref}
	}
	var mounts []types.DatastoreHostMount
	o.vc.read(ds, func() { mounts = ds.Host })
	var hosts []*simulator.HostSystem
	for _, m := range mounts {
		if h, ok := get[*simulator.HostSystem](o.vc, m.Key); ok && isTrue(m.MountInfo.Mounted) {
			hosts = append(hosts, h)
		}
	}
	return o.vc.removeDatastore(ref, hosts...)
}

// DestroyTask removes the datastore.
func (o *datastore) DestroyTask(req *types.Destroy_Task) soap.HasFault {
	body := &methods.Destroy_TaskBody{}
	ds, ok := get[*simulator.Datastore](o.vc, req.This)
	if !ok {
		body.Fault_ = fault(&types.ManagedObjectNotFound{Obj: req.This})
		return body
	}
	body.Res = &types.Destroy_TaskResponse{Returnval: o.vc.run(ds, "Datastore.destroy", o.vc.nameOf(ds), func(*job) (types.AnyType, types.BaseMethodFault) {
		return nil, o.destroy(req.This)
	})}
	return body
}

// DestroyDatastore removes the datastore.
func (o *datastore) DestroyDatastore(req *types.DestroyDatastore) soap.HasFault {
	body := &methods.DestroyDatastoreBody{}
	if problem := o.destroy(req.This); problem != nil {
		body.Fault_ = fault(problem)
		return body
	}
	body.Res = new(types.DestroyDatastoreResponse)
	return body
}
