package lab

import (
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// folder is Folder, as to folders, datacenters, hosts and networks.
type folder struct{ shadow }

func installFolder(vc *VC) {
	vc.redirect("Folder", &folder{vc.shadow("InventoryFolder")}, "CreateFolder", "CreateDatacenter", "CreateCluster", "CreateClusterEx", "AddStandaloneHost_Task", "CreateDVS_Task")
}

// holds reports whether a folder may contain objects of a type.
func holds(f *simulator.Folder, kind string) bool { return slices.Contains(f.ChildType, kind) }

// CreateDatacenter makes an empty datacenter. The simulator's has a network already; a real one gets them with its hosts.
func (o *folder) CreateDatacenter(ctx *simulator.Context, req *types.CreateDatacenter) soap.HasFault {
	body := &methods.CreateDatacenterBody{}
	f, ok := get[*simulator.Folder](o.vc, req.This)
	if !ok {
		body.Fault_ = fault(&types.ManagedObjectNotFound{Obj: req.This})
		return body
	}
	if !holds(f, "Datacenter") {
		body.Fault_ = fault(because(new(types.NotSupported), "This folder holds no datacenters."))
		return body
	}
	if !scenario.Stored(req.Name) {
		body.Fault_ = fault(&types.InvalidName{Name: req.Name})
		return body
	}
	if e := o.vc.childNamed(f, req.Name); e != nil {
		body.Fault_ = fault(&types.DuplicateName{Name: req.Name, Object: e.Reference()})
		return body
	}
	body.Res = &types.CreateDatacenterResponse{Returnval: o.vc.newDatacenter(f, req.Name).Self}
	return body
}

// CreateFolder takes the name as it is to be stored: the simulator would escape the percent sign of an escape once more.
func (o *folder) CreateFolder(req *types.CreateFolder) soap.HasFault {
	body := &methods.CreateFolderBody{}
	f, ok := get[*simulator.Folder](o.vc, req.This)
	switch {
	case !ok:
		body.Fault_ = fault(&types.ManagedObjectNotFound{Obj: req.This})
	case !holds(f, "Folder"):
		body.Fault_ = fault(because(new(types.NotSupported), "This folder holds no folders."))
	case !scenario.Stored(req.Name):
		body.Fault_ = fault(&types.InvalidName{Name: req.Name})
	default:
		if e := o.vc.childNamed(f, req.Name); e != nil {
			body.Fault_ = fault(&types.DuplicateName{Name: req.Name, Object: e.Reference()})
			return body
		}
		body.Res = &types.CreateFolderResponse{Returnval: o.vc.subfolder(f, req.Name).Self}
	}
	return body
}

func (vc *VC) newDatacenter(f *simulator.Folder, name string) *simulator.Datacenter {
	ctx := vc.newCtx()
	var dc *simulator.Datacenter
	ctx.WithLock(f, func() { dc = simulator.NewDatacenter(ctx, &f.Folder) })
	vc.update(dc, types.PropertyChange{Name: "name", Val: name})
	for _, n := range all[*mo.Network](vc, "Network") {
		if vc.datacenterOf(n.Self) == dc {
			vc.remove(n)
		}
	}
	vc.setRefs(dc, "network", &dc.Network, nil)
	return dc
}

func (o *folder) cluster(ref types.ManagedObjectReference, name string, spec *types.ClusterConfigSpecEx) (types.ManagedObjectReference, *soap.Fault) {
	f, ok := get[*simulator.Folder](o.vc, ref)
	if !ok || !holds(f, "ComputeResource") {
		return ref, fault(because(new(types.NotSupported), "This folder holds no clusters."))
	}
	if !scenario.Stored(name) {
		return ref, fault(&types.InvalidName{Name: name})
	}
	if e := o.vc.childNamed(f, name); e != nil {
		return ref, fault(&types.DuplicateName{Name: name, Object: e.Reference()})
	}
	if len(spec.RulesSpec)+len(spec.GroupSpec)+len(spec.DasVmConfigSpec)+len(spec.DrsVmConfigSpec) > 0 {
		return ref, fault(because(&types.InvalidArgument{InvalidProperty: "spec"}, "A new cluster has no members that rules or overrides could mean."))
	}
	return o.vc.newCluster(f, name, spec).Self, nil
}

// CreateClusterEx makes a cluster.
func (o *folder) CreateClusterEx(req *types.CreateClusterEx) soap.HasFault {
	body := &methods.CreateClusterExBody{}
	ref, refused := o.cluster(req.This, req.Name, &req.Spec)
	if body.Fault_ = refused; refused == nil {
		body.Res = &types.CreateClusterExResponse{Returnval: ref}
	}
	return body
}

// CreateCluster is the older way to make a cluster.
func (o *folder) CreateCluster(req *types.CreateCluster) soap.HasFault {
	body := &methods.CreateClusterBody{}
	ref, refused := o.cluster(req.This, req.Name, &types.ClusterConfigSpecEx{DasConfig: req.Spec.DasConfig, DrsConfig: req.Spec.DrsConfig})
	if body.Fault_ = refused; refused == nil {
		body.Res = &types.CreateClusterResponse{Returnval: ref}
	}
	return body
}
