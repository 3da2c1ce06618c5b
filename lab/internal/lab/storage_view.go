package lab

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/fabric"
)

// The storage part of the inventory is a projection: after every change syncStorage rebuilds a host's devices, its mounts and the
// datastores from what the fabric says the host knows.

// hostMount is a volume as one host knows it.
type hostMount struct {
	uuid, label string
	dir         string
	capacity    int64
	kind        string // "VMFS" or "NFS"
	mounted     bool
	accessible  bool
	mode        string
	volume      types.BaseHostFileSystemVolume
	info        func(types.DatastoreInfo) types.BaseDatastoreInfo
}

// syncStorage brings the inventory up to date with what a host sees. site.mu is held.
func (vc *VC) syncStorage(h *simulator.HostSystem) {
	dc := vc.datacenterOf(h.Self)
	if dc == nil {
		return
	}
	devices, mounts := vc.lab.storageDevices(h.Name), vc.hostMounts(h.Name)
	files := &types.HostFileSystemVolumeInfo{VolumeTypeList: []string{"VMFS", "NFS", "NFS41", "vsan", "VVOL", "VFFS", "OTHER"}}
	seen := map[*simulator.Datastore]types.DatastoreHostMount{}
	var available []types.ManagedObjectReference
	for _, m := range mounts {
		ds := vc.datastoreOf(dc, &m)
		at := m.at()
		files.MountInfo = append(files.MountInfo, types.HostFileSystemMountInfo{
			MountInfo: at, Volume: m.volume, VStorageSupport: string(types.FileSystemMountInfoVStorageSupportStatusVStorageSupported),
		})
		seen[ds] = types.DatastoreHostMount{Key: h.Self, MountInfo: at}
		if m.mounted {
			available = append(available, ds.Self)
		}
	}
	if hss, ok := get[*simulator.HostStorageSystem](vc, *h.ConfigManager.StorageSystem); ok {
		vc.update(hss, types.PropertyChange{Name: "storageDeviceInfo", Val: devices}, types.PropertyChange{Name: "fileSystemVolumeInfo", Val: *files})
	}
	vc.update(h, types.PropertyChange{Name: "config.storageDevice", Val: devices}, types.PropertyChange{Name: "config.fileSystemVolume", Val: files},
		types.PropertyChange{Name: "summary.hardware.numHBAs", Val: int32(len(devices.HostBusAdapter))})
	if dss, ok := get[*simulator.HostDatastoreSystem](vc, *h.ConfigManager.DatastoreSystem); ok {
		vc.setRefs(dss, "datastore", &dss.Datastore, slices.Clone(available))
	}
	vc.setRefs(h, "datastore", &h.Datastore, available)
	for key, ds := range vc.site.datastores {
		if key.datacenter == dc.Self {
			m, ok := seen[ds]
			vc.mountedBy(key, ds, h.Self, m, ok)
		}
	}
	vc.syncParents(dc)
}

// mountedBy notes what one host knows of a datastore. One that no host knows and no virtual machine uses leaves the inventory.
func (vc *VC) mountedBy(key datastoreKey, ds *simulator.Datastore, host types.ManagedObjectReference, m types.DatastoreHostMount, known bool) {
	var before, after []types.DatastoreHostMount
	used := false
	vc.read(ds, func() { before, used = ds.Host, len(ds.Vm) > 0 })
	for _, x := range before {
		if x.Key != host {
			after = append(after, x)
		}
	}
	if known {
		after = append(after, m)
	}
	slices.SortFunc(after, func(a, b types.DatastoreHostMount) int { return byReference(a.Key, b.Key) })
	if len(after) == 0 && !used {
		delete(vc.site.datastores, key)
		vc.remove(ds)
		vc.Map().Remove(vc.newCtx(), ds.Browser)
		return
	}
	accessible, mounted := false, 0
	for _, x := range after {
		if isTrue(x.MountInfo.Mounted) {
			mounted++
		}
		accessible = accessible || isTrue(x.MountInfo.Accessible)
	}
	vc.update(ds, types.PropertyChange{Name: "host", Val: after}, types.PropertyChange{Name: "summary.accessible", Val: accessible},
		types.PropertyChange{Name: "summary.multipleHostAccess", Val: mounted > 1})
}

// syncParents rebuilds the lists of datastores and networks of a datacenter and its clusters from those of the hosts.
func (vc *VC) syncParents(dc *simulator.Datacenter) {
	type lists struct {
		datastores, networks []types.ManagedObjectReference
	}
	parents := map[types.ManagedObjectReference]*lists{}
	var total lists
	for _, h := range vc.site.hosts {
		if vc.datacenterOf(h.Self) != dc {
			continue
		}
		vc.read(h, func() {
			p := parents[*h.Parent]
			if p == nil {
				p = &lists{}
				parents[*h.Parent] = p
			}
			p.datastores, p.networks = append(p.datastores, h.Datastore...), append(p.networks, h.Network...)
		})
	}
	for ref, p := range parents {
		switch c := vc.Map().Get(ref).(type) {
		case *simulator.ClusterComputeResource:
			vc.setRefs(c, "datastore", &c.Datastore, p.datastores)
			vc.setRefs(c, "network", &c.Network, p.networks)
		case *mo.ComputeResource:
			vc.setRefs(c, "datastore", &c.Datastore, p.datastores)
			vc.setRefs(c, "network", &c.Network, p.networks)
		}
	}
	for key, ds := range vc.site.datastores {
		if key.datacenter == dc.Self {
			total.datastores = append(total.datastores, ds.Self)
		}
	}
	vc.setRefs(dc, "datastore", &dc.Datastore, total.datastores)
	total.networks = vc.networksOf(dc)
	vc.setRefs(dc, "network", &dc.Network, total.networks)
}

// hostMounts are the volumes that a host knows.
func (vc *VC) hostMounts(host string) []hostMount {
	l, dead := vc.lab, vc.lab.servers[host].isDead()
	var out []hostMount
	for _, m := range l.Fabric.Mounts(host) {
		v := vmfsVolume(m)
		out = append(out, hostMount{
			uuid: m.UUID, label: m.Label, dir: l.volumeDir(m.UUID), capacity: m.Capacity, kind: "VMFS", mounted: m.Mounted, accessible: m.Accessible && !dead,
			mode: string(types.HostMountModeReadWrite), volume: v,
			info: func(i types.DatastoreInfo) types.BaseDatastoreInfo {
				return &types.VmfsDatastoreInfo{DatastoreInfo: i, MaxPhysicalRDMFileSize: 64 << 40, MaxVirtualRDMFileSize: 62 << 40, Vmfs: v}
			},
		})
	}
	s := l.servers[host]
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.shares {
		v := n.volume()
		out = append(out, hostMount{
			uuid: n.uuid, label: n.name, dir: l.volumeDir(n.uuid), capacity: shareCapacity, kind: n.spec.Type, mounted: true, accessible: !dead,
			mode: n.spec.AccessMode, volume: v,
			info: func(i types.DatastoreInfo) types.BaseDatastoreInfo {
				return &types.NasDatastoreInfo{DatastoreInfo: i, Nas: v}
			},
		})
	}
	return out
}

func vmfsVolume(m fabric.Mount) *types.HostVmfsVolume {
	v := &types.HostVmfsVolume{
		HostFileSystemVolume: types.HostFileSystemVolume{Type: "VMFS", Name: m.Label, Capacity: m.Capacity},
		BlockSizeMb:          1, BlockSize: 1024, MaxBlocks: 63963136, MajorVersion: int32(m.Version), Version: "5.61", Uuid: m.UUID,
		Extent: []types.HostScsiDiskPartition{{DiskName: m.NAA, Partition: 1}},
		Ssd:    types.NewBool(m.Array != ""), Local: types.NewBool(m.Array == ""),
	}
	if m.Version < 5 {
		v.Version = "3.60"
	}
	if m.Version >= 6 {
		v.Version, v.UnmapGranularity, v.UnmapPriority = "6.82", 1024, "low"
	}
	if m.Forced {
		v.ForceMountedInfo = &types.HostForceMountedInfo{Persist: true, Mounted: m.Mounted}
	}
	return v
}

// at is the mount point.
func (m *hostMount) at() types.HostMountInfo {
	i := types.HostMountInfo{
		Path: "/vmfs/volumes/" + m.uuid, AccessMode: m.mode, Mounted: types.NewBool(m.mounted), Accessible: types.NewBool(m.accessible),
	}
	if m.mounted && !m.accessible {
		i.InaccessibleReason = string(types.HostMountInfoInaccessibleReasonAllPathsDown_Start)
	}
	return i
}

// datastoreOf returns the Datastore object of a volume in a datacenter, a new one if the volume appears there for the first time.
// site.mu is held.
func (vc *VC) datastoreOf(dc *simulator.Datacenter, m *hostMount) *simulator.Datastore {
	key := datastoreKey{dc.Self, m.uuid}
	ds := vc.site.datastores[key]
	if ds == nil {
		ds = vc.newDatastore(dc, m)
		vc.site.datastores[key] = ds
	}
	name := ds.Name
	now := time.Now()
	free := max(0, m.capacity-vc.lab.used(m.uuid))
	info := m.info(types.DatastoreInfo{
		Name: name, Url: m.dir, FreeSpace: free, MaxFileSize: 64 << 40, MaxVirtualDiskCapacity: 62 << 40, MaxMemoryFileSize: 64 << 40, Timestamp: &now,
	})
	vc.update(ds, types.PropertyChange{Name: "info", Val: info}, types.PropertyChange{Name: "summary.capacity", Val: m.capacity},
		types.PropertyChange{Name: "summary.freeSpace", Val: free})
	return ds
}

// newDatastore puts a Datastore into the inventory, named after the volume. If that name is taken in the datacenter, it becomes
// "name (1)", as vCenter does.
func (vc *VC) newDatastore(dc *simulator.Datacenter, m *hostMount) *simulator.Datastore {
	taken := map[string]bool{}
	for key, other := range vc.site.datastores {
		if key.datacenter == dc.Self {
			taken[vc.nameOf(other)] = true
		}
	}
	name := m.label
	for i := 1; taken[name]; i++ {
		name = fmt.Sprintf("%s (%d)", m.label, i)
	}
	ds := &simulator.Datastore{}
	ds.Name = name
	ds.Capability = types.DatastoreCapability{
		DirectoryHierarchySupported: true, RawDiskMappingsSupported: m.kind == "VMFS", PerFileThinProvisioningSupported: true, StorageIORMSupported: true,
		SeSparseSupported: types.NewBool(true), TopLevelDirectoryCreateSupported: types.NewBool(true),
	}
	ds.Info = m.info(types.DatastoreInfo{Name: name, Url: m.dir})
	ds.Summary = types.DatastoreSummary{
		Name: name, Url: m.dir, Capacity: m.capacity, Type: m.kind, Accessible: m.accessible, MultipleHostAccess: types.NewBool(false),
		MaintenanceMode: string(types.DatastoreSummaryMaintenanceModeStateNormal),
	}
	ds.IormConfiguration = storageIOControl(false)
	browser := &simulator.HostDatastoreBrowser{}
	vc.Map().Put(browser)
	ds.Browser = browser.Self
	folder, _ := get[*simulator.Folder](vc, dc.DatastoreFolder)
	vc.insert(folder, ds)
	self := ds.Self
	vc.read(ds, func() { ds.Summary.Datastore = &self })
	vc.read(browser, func() { browser.Datastore = []types.ManagedObjectReference{self} })
	return ds
}

// used is the space that is taken of a volume. Of files, what a thick disk reserves counts; thin ones are as large as what is
// written. Others may fill the volume too.
func (l *Lab) used(uuid string) int64 {
	n := l.beside(uuid)
	_ = filepath.WalkDir(l.volumeDir(uuid), func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // a file that a task is moving away
		}
		if i, err := e.Info(); err == nil && i.Mode().IsRegular() {
			n += i.Size()
		}
		return nil
	})
	return n
}

// refreshSpace makes the free space of a volume current at every vCenter, after its files changed.
func (l *Lab) refreshSpace(uuid string) {
	used := l.used(uuid)
	for _, vc := range l.VCenters {
		vc.site.mu.Lock()
		for key, ds := range vc.site.datastores {
			if key.volume != uuid {
				continue
			}
			ctx := vc.newCtx()
			ctx.WithLock(ds, func() {
				if free := max(0, ds.Summary.Capacity-used); free != ds.Summary.FreeSpace {
					ctx.Update(ds, []types.PropertyChange{{Name: "summary.freeSpace", Val: free}, {Name: "info", Val: withFree(ds.Info, free)}})
				}
			})
		}
		vc.site.mu.Unlock()
	}
}

// withFree returns a copy of a datastore's information with another free space.
func withFree(i types.BaseDatastoreInfo, free int64) types.BaseDatastoreInfo {
	switch x := i.(type) {
	case *types.VmfsDatastoreInfo:
		c := *x
		c.FreeSpace = free
		return &c
	case *types.NasDatastoreInfo:
		c := *x
		c.FreeSpace = free
		return &c
	}
	return i
}
