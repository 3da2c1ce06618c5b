package lab

import (
	"errors"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/fabric"
)

// hostStorage is HostStorageSystem: rescans, volumes and devices of one host.
type hostStorage struct{ shadow }

func installHostStorage(vc *VC) {
	vc.redirect("HostStorageSystem", &hostStorage{vc.shadow("HostStorageSystem")},
		"RescanAllHba", "RescanHba", "RescanVmfs", "RefreshStorageSystem", "QueryUnresolvedVmfsVolume", "ResolveMultipleUnresolvedVmfsVolumes",
		"MountVmfsVolume", "UnmountVmfsVolume", "UnmountForceMountedVmfsVolume", "AttachScsiLun", "DetachScsiLun", "RetrieveDiskPartitionInfo")
}

// hostOf returns the host of one of its parts, such as its storage system.
func (vc *VC) hostOf(part types.ManagedObjectReference) *simulator.HostSystem {
	vc.site.mu.Lock()
	defer vc.site.mu.Unlock()
	return vc.site.parts[part]
}

// connected returns the host of a part that is to do something, or the fault of one that vCenter does not reach.
func (vc *VC) connected(part types.ManagedObjectReference) (*simulator.HostSystem, *soap.Fault) {
	h := vc.hostOf(part)
	if h == nil {
		return nil, fault(&types.ManagedObjectNotFound{Obj: part})
	}
	var state types.HostSystemConnectionState
	vc.read(h, func() { state = h.Runtime.ConnectionState })
	if state != types.HostSystemConnectionStateConnected {
		return nil, fault(because(new(types.HostNotConnected), "Host '%s' is %s.", h.Name, state))
	}
	return h, nil
}

// storage runs a change of what a host sees and brings the inventory up to date.
func (vc *VC) storage(part types.ManagedObjectReference, f func(h *simulator.HostSystem) types.BaseMethodFault) *soap.Fault {
	h, refused := vc.connected(part)
	if refused != nil {
		return refused
	}
	if problem := f(h); problem != nil {
		return fault(problem)
	}
	vc.lab.storageChanged(h.Name)
	return nil
}

// storageFault translates an error of the fabric into the fault that vSphere's documentation names for the method.
func storageFault(err error, what string) types.BaseMethodFault {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fabric.ErrNotFound):
		return because(new(types.NotFound), "The host has no %s.", what)
	case errors.Is(err, fabric.ErrMounted), errors.Is(err, fabric.ErrNotMounted), errors.Is(err, fabric.ErrAttached), errors.Is(err, fabric.ErrDetached):
		return because(new(types.InvalidState), "%s: %s.", what, err)
	}
	return because(new(types.HostConfigFault), "%s: %s.", what, err)
}

// RescanAllHba makes the host see what the fabric presents to it now. It mounts nothing: that is RescanVmfs.
func (o *hostStorage) RescanAllHba(req *types.RescanAllHba) soap.HasFault {
	body := &methods.RescanAllHbaBody{}
	if body.Fault_ = o.rescan(req.This, o.vc.lab.Fabric.RescanHBA); body.Fault_ == nil {
		body.Res = new(types.RescanAllHbaResponse)
	}
	return body
}

// RescanHba is RescanAllHba for one adapter; each of the lab's reaches every LUN.
func (o *hostStorage) RescanHba(req *types.RescanHba) soap.HasFault {
	body := &methods.RescanHbaBody{}
	if h := o.vc.hostOf(req.This); h != nil {
		known := req.HbaDevice == "vmhba0"
		for _, a := range o.vc.lab.Fabric.HBAs(h.Name) {
			known = known || a.Device == req.HbaDevice
		}
		if !known {
			body.Fault_ = fault(because(new(types.NotFound), "The host has no adapter %s.", req.HbaDevice))
			return body
		}
	}
	if body.Fault_ = o.rescan(req.This, o.vc.lab.Fabric.RescanHBA); body.Fault_ == nil {
		body.Res = new(types.RescanHbaResponse)
	}
	return body
}

// RescanVmfs mounts the volumes on the devices that the host sees.
func (o *hostStorage) RescanVmfs(req *types.RescanVmfs) soap.HasFault {
	body := &methods.RescanVmfsBody{}
	if body.Fault_ = o.rescan(req.This, o.vc.lab.Fabric.RescanVMFS); body.Fault_ == nil {
		body.Res = new(types.RescanVmfsResponse)
	}
	return body
}

func (o *hostStorage) rescan(part types.ManagedObjectReference, scan func(string)) *soap.Fault {
	return o.vc.storage(part, func(h *simulator.HostSystem) types.BaseMethodFault {
		o.vc.lab.sleep(o.vc.lab.Scenario.Durations.Rescan)
		scan(h.Name)
		return nil
	})
}

// RefreshStorageSystem reads again what the host knows already; it scans nothing.
func (o *hostStorage) RefreshStorageSystem(req *types.RefreshStorageSystem) soap.HasFault {
	body := &methods.RefreshStorageSystemBody{}
	if body.Fault_ = o.vc.storage(req.This, func(*simulator.HostSystem) types.BaseMethodFault { return nil }); body.Fault_ == nil {
		body.Res = new(types.RefreshStorageSystemResponse)
	}
	return body
}

// QueryUnresolvedVmfsVolume lists the volumes that the host holds back as copies.
func (o *hostStorage) QueryUnresolvedVmfsVolume(req *types.QueryUnresolvedVmfsVolume) soap.HasFault {
	body := &methods.QueryUnresolvedVmfsVolumeBody{}
	h, refused := o.vc.connected(req.This)
	if refused != nil {
		body.Fault_ = refused
		return body
	}
	body.Res = &types.QueryUnresolvedVmfsVolumeResponse{Returnval: o.vc.unresolved(h.Name)}
	return body
}

func (vc *VC) unresolved(host string) []types.HostUnresolvedVmfsVolume {
	var out []types.HostUnresolvedVmfsVolume
	for _, c := range vc.lab.Fabric.Copies(host) {
		blocks := int32(c.Capacity >> 20)
		out = append(out, types.HostUnresolvedVmfsVolume{
			VmfsLabel: c.Label, VmfsUuid: c.UUID, TotalBlocks: blocks,
			Extent: []types.HostUnresolvedVmfsExtent{{
				Device: types.HostScsiDiskPartition{DiskName: c.NAA, Partition: 1}, DevicePath: devicePath(c.NAA) + ":1", VmfsUuid: c.UUID, IsHeadExtent: true,
				EndBlock: blocks, Reason: string(types.HostUnresolvedVmfsExtentUnresolvedReasonDiskIdMismatch),
			}},
			ResolveStatus: types.HostUnresolvedVmfsVolumeResolveStatus{
				Resolvable: true, IncompleteExtents: types.NewBool(false), MultipleCopies: types.NewBool(false),
			},
		})
	}
	return out
}

// ResolveMultipleUnresolvedVmfsVolumes mounts copies under their own UUID, or gives them a new one. Each answer has its own fault.
func (o *hostStorage) ResolveMultipleUnresolvedVmfsVolumes(req *types.ResolveMultipleUnresolvedVmfsVolumes) soap.HasFault {
	body := &methods.ResolveMultipleUnresolvedVmfsVolumesBody{}
	var results []types.HostUnresolvedVmfsResolutionResult
	body.Fault_ = o.vc.storage(req.This, func(h *simulator.HostSystem) types.BaseMethodFault {
		for _, spec := range req.ResolutionSpec {
			r := types.HostUnresolvedVmfsResolutionResult{Spec: spec}
			uuid, problem := o.vc.resolveCopy(h, &spec)
			if problem != nil {
				r.Fault = &types.LocalizedMethodFault{Fault: problem, LocalizedMessage: describe(problem)}
			}
			for _, m := range o.vc.lab.Fabric.Mounts(h.Name) {
				if problem == nil && m.UUID == uuid {
					r.Vmfs = vmfsVolume(m)
				}
			}
			results = append(results, r)
		}
		return nil
	})
	if body.Fault_ == nil {
		o.vc.lab.storageChanged() // a new signature takes the volume from other hosts
		body.Res = &types.ResolveMultipleUnresolvedVmfsVolumesResponse{Returnval: results}
	}
	return body
}

// resolveCopy mounts one copy on the host and returns the UUID that it has then.
//
// A force mount is refused with VmfsAlreadyMounted while another host of the datacenter has a volume of that UUID mounted as the
// original (docs/vsphere-facts.md).
func (vc *VC) resolveCopy(h *simulator.HostSystem, spec *types.HostUnresolvedVmfsResolutionSpec) (string, types.BaseMethodFault) {
	f := vc.lab.Fabric
	for _, c := range f.Copies(h.Name) {
		if len(spec.ExtentDevicePath) != 1 || spec.ExtentDevicePath[0] != devicePath(c.NAA)+":1" {
			continue
		}
		if spec.UuidResolution == string(types.HostUnresolvedVmfsResolutionSpecVmfsUuidResolutionResignature) {
			v, err := f.Resignature(h.Name, c.UUID, vc.lab.vmfsUUID(c.NAA, c.UUID), "snap-"+c.UUID[:8]+"-"+c.Label)
			return v.UUID, storageFault(err, "volume "+c.Label)
		}
		if spec.UuidResolution != string(types.HostUnresolvedVmfsResolutionSpecVmfsUuidResolutionForceMount) {
			return "", &types.InvalidArgument{InvalidProperty: "resolutionSpec.uuidResolution"}
		}
		if other := vc.mountedAsOriginal(h, c.UUID); other != "" {
			return "", because(&types.VmfsAlreadyMounted{}, "Host '%s' has the volume %s mounted.", other, c.UUID)
		}
		return c.UUID, storageFault(f.ForceMount(h.Name, c.UUID), "volume "+c.Label)
	}
	return "", because(new(types.NotFound), "The host holds back no volume on %s.", strings.Join(spec.ExtentDevicePath, ", "))
}

func (vc *VC) mountedAsOriginal(h *simulator.HostSystem, uuid string) string {
	vc.site.mu.Lock()
	defer vc.site.mu.Unlock()
	dc := vc.datacenterOf(h.Self)
	for name, other := range vc.site.hosts {
		if other == h || vc.datacenterOf(other.Self) != dc {
			continue
		}
		for _, m := range vc.lab.Fabric.Mounts(name) {
			if m.UUID == uuid && m.Mounted && !m.Forced {
				return name
			}
		}
	}
	return ""
}

// MountVmfsVolume mounts a volume that was unmounted.
func (o *hostStorage) MountVmfsVolume(req *types.MountVmfsVolume) soap.HasFault {
	body := &methods.MountVmfsVolumeBody{}
	body.Fault_ = o.vc.storage(req.This, func(h *simulator.HostSystem) types.BaseMethodFault {
		return storageFault(o.vc.lab.Fabric.Mount(h.Name, req.VmfsUuid), "volume "+req.VmfsUuid)
	})
	if body.Fault_ == nil {
		body.Res = new(types.MountVmfsVolumeResponse)
	}
	return body
}

// UnmountVmfsVolume takes a volume out of use on the host.
func (o *hostStorage) UnmountVmfsVolume(req *types.UnmountVmfsVolume) soap.HasFault {
	body := &methods.UnmountVmfsVolumeBody{}
	if body.Fault_ = o.unmount(req.This, req.VmfsUuid); body.Fault_ == nil {
		body.Res = new(types.UnmountVmfsVolumeResponse)
	}
	return body
}

// UnmountForceMountedVmfsVolume does the same for a volume that was mounted although it looked like a copy.
func (o *hostStorage) UnmountForceMountedVmfsVolume(req *types.UnmountForceMountedVmfsVolume) soap.HasFault {
	body := &methods.UnmountForceMountedVmfsVolumeBody{}
	if body.Fault_ = o.unmount(req.This, req.VmfsUuid); body.Fault_ == nil {
		body.Res = new(types.UnmountForceMountedVmfsVolumeResponse)
	}
	return body
}

// unmount refuses with ResourceInUse while a virtual machine is registered on the datastore, on whatever host of this vCenter, and
// while the datastore is in a datastore cluster or has Storage I/O Control (docs/vsphere-facts.md, "Order off the old side").
func (o *hostStorage) unmount(part types.ManagedObjectReference, uuid string) *soap.Fault {
	return o.vc.storage(part, func(h *simulator.HostSystem) types.BaseMethodFault {
		if inUse := o.vc.volumeInUse(h, uuid); inUse != nil {
			return inUse
		}
		if v := o.vc.lookup(o.vc.datacenterOf(h.Self), uuid); v != nil && o.vc.usesStorageIOControl(v.ref) {
			return because(&types.ResourceInUse{Type: "Datastore", Name: v.name}, "Storage I/O Control is on for it and keeps a file open.")
		}
		if o.vc.lab.Fabric.Severed(h.Name, uuid) {
			return because(new(types.InvalidState), "The volume %s is inaccessible.", uuid)
		}
		return storageFault(o.vc.lab.Fabric.Unmount(h.Name, uuid), "volume "+uuid)
	})
}

func (vc *VC) volumeInUse(h *simulator.HostSystem, uuid string) types.BaseMethodFault {
	dc := vc.datacenterOf(h.Self)
	vc.site.mu.Lock()
	ds := vc.site.datastores[datastoreKey{dc.Self, uuid}]
	vc.site.mu.Unlock()
	if ds == nil {
		return nil
	}
	n, pod := 0, false
	vc.read(ds, func() { n, pod = len(ds.Vm), ds.Parent != nil && ds.Parent.Type == "StoragePod" })
	switch {
	case n > 0:
		return because(&types.ResourceInUse{Type: "Datastore", Name: vc.nameOf(ds)}, "%d virtual machines are registered on it.", n)
	case pod:
		return because(&types.ResourceInUse{Type: "Datastore", Name: vc.nameOf(ds)}, "It is in a datastore cluster.")
	}
	return nil
}

// AttachScsiLun switches a detached device on.
func (o *hostStorage) AttachScsiLun(req *types.AttachScsiLun) soap.HasFault {
	body := &methods.AttachScsiLunBody{}
	body.Fault_ = o.vc.storage(req.This, func(h *simulator.HostSystem) types.BaseMethodFault {
		return storageFault(o.vc.lab.Fabric.Attach(h.Name, o.vc.lab.deviceOf(h.Name, req.LunUuid)), "device "+req.LunUuid)
	})
	if body.Fault_ == nil {
		body.Res = new(types.AttachScsiLunResponse)
	}
	return body
}

// DetachScsiLun switches a device off, for good. The volume on it has to be unmounted first: ResourceInUse.
func (o *hostStorage) DetachScsiLun(req *types.DetachScsiLun) soap.HasFault {
	body := &methods.DetachScsiLunBody{}
	body.Fault_ = o.vc.storage(req.This, func(h *simulator.HostSystem) types.BaseMethodFault {
		naa := o.vc.lab.deviceOf(h.Name, req.LunUuid)
		err := o.vc.lab.Fabric.Detach(h.Name, naa)
		if errors.Is(err, fabric.ErrMounted) {
			return because(&types.ResourceInUse{Type: "HostScsiDisk", Name: naa}, "The volume on it is mounted.")
		}
		return storageFault(err, "device "+req.LunUuid)
	})
	if body.Fault_ == nil {
		body.Res = new(types.DetachScsiLunResponse)
	}
	return body
}

// deviceOf returns the NAA of a device that the host sees, or "".
func (l *Lab) deviceOf(host, uuid string) string {
	for _, d := range l.Fabric.Devices(host) {
		if scsiUUID(d.NAA) == uuid {
			return d.NAA
		}
	}
	return ""
}
