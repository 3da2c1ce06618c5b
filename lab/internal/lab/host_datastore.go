package lab

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"

	"esxodus/lab/internal/fabric"
)

// hostDatastore is HostDatastoreSystem: it makes and removes datastores.
type hostDatastore struct{ shadow }

func installHostDatastore(vc *VC) {
	vc.redirect("HostDatastoreSystem", &hostDatastore{vc.shadow("HostDatastoreSystem")},
		"QueryAvailableDisksForVmfs", "QueryVmfsDatastoreCreateOptions", "CreateVmfsDatastore", "RemoveDatastore", "CreateNasDatastore",
		"QueryUnresolvedVmfsVolumes", "ResignatureUnresolvedVmfsVolume_Task", "CreateLocalDatastore")
}

// available are the devices that no volume known to the host is on. As at vSphere a LUN with a volume that the host holds back as
// a copy, or has not mounted yet, is among them: formatting it destroys that volume (community.vmware issue 40).
func (vc *VC) available(host string) []fabric.Device {
	known := map[string]bool{}
	for _, m := range vc.lab.Fabric.Mounts(host) {
		known[m.NAA] = true
	}
	return slices.DeleteFunc(vc.lab.Fabric.Devices(host), func(d fabric.Device) bool { return !d.Usable || known[d.NAA] })
}

// QueryAvailableDisksForVmfs lists the devices that a VMFS volume can be made on.
func (o *hostDatastore) QueryAvailableDisksForVmfs(req *types.QueryAvailableDisksForVmfs) soap.HasFault {
	body := &methods.QueryAvailableDisksForVmfsBody{}
	h, refused := o.vc.connected(req.This)
	if refused != nil {
		body.Fault_ = refused
		return body
	}
	body.Res = new(types.QueryAvailableDisksForVmfsResponse)
	for _, d := range o.vc.available(h.Name) {
		body.Res.Returnval = append(body.Res.Returnval, *scsiDisk(d))
	}
	return body
}

// QueryVmfsDatastoreCreateOptions proposes how to make a volume on a device: all of it, in the newest version that the host knows
// unless another one is asked for.
func (o *hostDatastore) QueryVmfsDatastoreCreateOptions(req *types.QueryVmfsDatastoreCreateOptions) soap.HasFault {
	body := &methods.QueryVmfsDatastoreCreateOptionsBody{}
	h, refused := o.vc.connected(req.This)
	if refused != nil {
		body.Fault_ = refused
		return body
	}
	newest := int32(o.vc.lab.servers[h.Name].vmfs())
	version := req.VmfsMajorVersion
	if version == 0 {
		version = newest
	}
	if version < 5 || version > newest {
		body.Fault_ = fault(because(&types.InvalidArgument{InvalidProperty: "vmfsMajorVersion"}, "The host makes VMFS 5 to %d.", newest))
		return body
	}
	for _, d := range o.vc.available(h.Name) {
		if devicePath(d.NAA) == req.DevicePath {
			body.Res = &types.QueryVmfsDatastoreCreateOptionsResponse{Returnval: []types.VmfsDatastoreOption{createOption(d, version)}}
			return body
		}
	}
	body.Fault_ = fault(because(new(types.NotFound), "No device %s is available on the host.", req.DevicePath))
	return body
}

func createOption(d fabric.Device, version int32) types.VmfsDatastoreOption {
	first, last := int64(2048), d.Size/sector-34
	extent := types.HostDiskPartitionBlockRange{
		Partition: 1, Type: string(types.HostDiskPartitionInfoTypeVmfs),
		Start: types.HostDiskDimensionsLba{BlockSize: sector, Block: first}, End: types.HostDiskDimensionsLba{BlockSize: sector, Block: last},
	}
	total := types.HostDiskDimensionsLba{BlockSize: sector, Block: d.Size / sector}
	return types.VmfsDatastoreOption{
		Info: &types.VmfsDatastoreAllExtentOption{VmfsDatastoreSingleExtentOption: types.VmfsDatastoreSingleExtentOption{
			VmfsDatastoreBaseOption: types.VmfsDatastoreBaseOption{Layout: types.HostDiskPartitionLayout{
				Total: &total, Partition: []types.HostDiskPartitionBlockRange{extent},
			}},
			VmfsExtent: extent,
		}},
		Spec: &types.VmfsDatastoreCreateSpec{
			VmfsDatastoreSpec: types.VmfsDatastoreSpec{DiskUuid: scsiUUID(d.NAA)},
			Partition: types.HostDiskPartitionSpec{
				PartitionFormat: string(types.HostDiskPartitionInfoPartitionFormatGpt), TotalSectors: total.Block,
				Partition: []types.HostDiskPartitionAttributes{{Partition: 1, StartSector: first, EndSector: last, Type: extent.Type}},
			},
			Vmfs: types.HostVmfsSpec{Extent: types.HostScsiDiskPartition{DiskName: d.NAA, Partition: 1}, MajorVersion: version},
		},
	}
}

// CreateVmfsDatastore formats a device. Afterwards vCenter lets the connected hosts of the datacenter that see the device rescan
// for the volume.
func (o *hostDatastore) CreateVmfsDatastore(req *types.CreateVmfsDatastore) soap.HasFault {
	body := &methods.CreateVmfsDatastoreBody{}
	h, refused := o.vc.connected(req.This)
	if refused != nil {
		body.Fault_ = refused
		return body
	}
	ref, problem := o.create(h, &req.Spec)
	if problem != nil {
		body.Fault_ = fault(problem)
		return body
	}
	body.Res = &types.CreateVmfsDatastoreResponse{Returnval: ref}
	return body
}

func (o *hostDatastore) create(h *simulator.HostSystem, spec *types.VmfsDatastoreCreateSpec) (types.ManagedObjectReference, types.BaseMethodFault) {
	vc, l := o.vc, o.vc.lab
	none := types.ManagedObjectReference{}
	name := spec.Vmfs.VolumeName
	if !scenario.Stored(name) || strings.ContainsAny(name, "/\\") {
		return none, &types.InvalidName{Name: name}
	}
	dc := vc.datacenterOf(h.Self)
	if v := vc.volumeNamed(dc, name); v != nil {
		return none, &types.DuplicateName{Name: name, Object: v.ref}
	}
	naa := ""
	for _, d := range vc.available(h.Name) {
		if scsiUUID(d.NAA) == spec.DiskUuid {
			naa = d.NAA
		}
	}
	if naa == "" || spec.Vmfs.Extent.DiskName != naa {
		return none, because(new(types.NotFound), "No device %s (%s) is available on the host.", spec.DiskUuid, spec.Vmfs.Extent.DiskName)
	}
	if spec.Vmfs.MajorVersion < 5 {
		return none, because(&types.InvalidArgument{InvalidProperty: "spec.vmfs.majorVersion"}, "VMFS %d can no longer be made.", spec.Vmfs.MajorVersion)
	}
	uuid := l.vmfsUUID(naa, name, fmt.Sprint(l.formats.Add(1)))
	dir := l.newVolumeDir(uuid)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return none, &types.HostConfigFault{}
	}
	l.sleep(l.Scenario.Durations.Other)
	if _, err := l.Fabric.Format(h.Name, naa, fabric.Volume{UUID: uuid, Label: name, Version: int(spec.Vmfs.MajorVersion), Dir: dir}); err != nil {
		return none, storageFault(err, "device "+naa)
	}
	for _, other := range all[*simulator.HostSystem](vc, "HostSystem") {
		if other == h || vc.datacenterOf(other.Self) != dc {
			continue
		}
		var on bool
		vc.read(other, func() { on = other.Runtime.ConnectionState == types.HostSystemConnectionStateConnected })
		if on {
			l.Fabric.RescanVMFS(other.Name)
		}
	}
	l.storageChanged()
	vc.site.mu.Lock()
	defer vc.site.mu.Unlock()
	return vc.site.datastores[datastoreKey{dc.Self, uuid}].Self, nil
}

// CreateLocalDatastore is not possible on ESXi: there is no local file system that a datastore could be put on.
func (o *hostDatastore) CreateLocalDatastore(*types.CreateLocalDatastore) soap.HasFault {
	return &methods.CreateLocalDatastoreBody{Fault_: fault(new(types.NotSupported))}
}

// RemoveDatastore destroys a VMFS volume, for every host; of a NAS datastore it takes away this host's mount only. One with
// virtual machines is refused: ResourceInUse.
func (o *hostDatastore) RemoveDatastore(req *types.RemoveDatastore) soap.HasFault {
	body := &methods.RemoveDatastoreBody{}
	h, refused := o.vc.connected(req.This)
	if refused != nil {
		body.Fault_ = refused
		return body
	}
	if problem := o.vc.removeDatastore(req.Datastore, h); problem != nil {
		body.Fault_ = fault(problem)
		return body
	}
	body.Res = new(types.RemoveDatastoreResponse)
	return body
}

// removeDatastore removes a datastore through the given hosts.
func (vc *VC) removeDatastore(ref types.ManagedObjectReference, hosts ...*simulator.HostSystem) types.BaseMethodFault {
	v := vc.volumeOf(ref)
	if v == nil {
		return &types.ManagedObjectNotFound{Obj: ref}
	}
	for _, h := range hosts {
		if inUse := vc.volumeInUse(h, v.uuid); inUse != nil {
			return inUse
		}
		if _, vmfs := vc.lab.Fabric.Volume(v.uuid); vmfs {
			if err := vc.lab.Fabric.Erase(h.Name, v.uuid); err != nil {
				return storageFault(err, "volume "+v.name)
			}
			_ = os.RemoveAll(vc.lab.newVolumeDir(v.uuid))
			vc.lab.storageChanged()
			return nil
		}
		s := vc.lab.servers[h.Name]
		s.mu.Lock()
		s.shares = slices.DeleteFunc(slices.Clone(s.shares), func(x *share) bool { return x.uuid == v.uuid })
		s.mu.Unlock()
	}
	vc.lab.storageChanged()
	return nil
}

// QueryUnresolvedVmfsVolumes is HostStorageSystem's QueryUnresolvedVmfsVolume by another name.
func (o *hostDatastore) QueryUnresolvedVmfsVolumes(req *types.QueryUnresolvedVmfsVolumes) soap.HasFault {
	body := &methods.QueryUnresolvedVmfsVolumesBody{}
	h, refused := o.vc.connected(req.This)
	if refused != nil {
		body.Fault_ = refused
		return body
	}
	body.Res = &types.QueryUnresolvedVmfsVolumesResponse{Returnval: o.vc.unresolved(h.Name)}
	return body
}

// ResignatureUnresolvedVmfsVolumeTask gives a volume that looks like a copy a new UUID.
func (o *hostDatastore) ResignatureUnresolvedVmfsVolumeTask(req *types.ResignatureUnresolvedVmfsVolume_Task) soap.HasFault {
	body := &methods.ResignatureUnresolvedVmfsVolume_TaskBody{}
	h, refused := o.vc.connected(req.This)
	if refused != nil {
		body.Fault_ = refused
		return body
	}
	ref := o.vc.run(h, "HostDatastoreSystem.resignatureUnresolvedVmfsVolume", h.Name, func(j *job) (types.AnyType, types.BaseMethodFault) {
		if problem := j.sleep(o.vc.lab.Scenario.Durations.Rescan); problem != nil {
			return nil, problem
		}
		uuid, problem := o.vc.resolveCopy(h, &types.HostUnresolvedVmfsResolutionSpec{
			ExtentDevicePath: req.ResolutionSpec.ExtentDevicePath, UuidResolution: string(types.HostUnresolvedVmfsResolutionSpecVmfsUuidResolutionResignature),
		})
		if problem != nil {
			return nil, problem
		}
		o.vc.lab.storageChanged()
		v := o.vc.lookup(o.vc.datacenterOf(h.Self), uuid)
		if v == nil {
			return nil, new(types.NotFound)
		}
		return types.HostResignatureRescanResult{Result: v.ref}, nil
	})
	body.Res = &types.ResignatureUnresolvedVmfsVolume_TaskResponse{Returnval: ref}
	return body
}
