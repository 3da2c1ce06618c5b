package lab

import (
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/vmx"
)

var diskModes = [][2]string{
	{"persistent", "persistent"}, {"independent_persistent", "independent-persistent"}, {"independent_nonpersistent", "independent-nonpersistent"},
	{"nonpersistent", "nonpersistent"}, {"append", "append"}, {"undoable", "undoable"},
}

var diskSharing = [][2]string{{"sharingNone", "none"}, {"sharingMultiWriter", "multi-writer"}}

// setSharing sets who may open a disk beside the VM.
func setSharing(disk *types.VirtualDisk, sharing string) {
	switch b := disk.Backing.(type) {
	case *types.VirtualDiskFlatVer2BackingInfo:
		b.Sharing = sharing
	case *types.VirtualDiskRawDiskMappingVer1BackingInfo:
		b.Sharing = sharing
	}
}

func sharingOf(disk *types.VirtualDisk) string {
	switch b := disk.Backing.(type) {
	case *types.VirtualDiskFlatVer2BackingInfo:
		return b.Sharing
	case *types.VirtualDiskRawDiskMappingVer1BackingInfo:
		return b.Sharing
	}
	return ""
}

// diskDevice is the device of a disk with these layers.
func (vc *VC) diskDevice(dc *simulator.Datacenter, layers []layer, mode string) *types.VirtualDisk {
	base := layers[len(layers)-1]
	var backing, last *types.VirtualDiskFlatVer2BackingInfo
	for _, y := range layers {
		b := &types.VirtualDiskFlatVer2BackingInfo{
			VirtualDeviceFileBackingInfo: vc.fileBacking(dc, y.at),
			DiskMode:                     mode, Split: types.NewBool(false), WriteThrough: types.NewBool(false),
			ThinProvisioned: types.NewBool(base.thin()), KeyId: keyOf(base.desc.DDB.Get(diskKey)), EagerlyScrub: types.NewBool(false),
			ContentId: y.desc.DDB.Get("ddb.longContentID"), Uuid: diskID(base), DigestEnabled: types.NewBool(false), Sharing: string(types.VirtualDiskSharingSharingNone),
		}
		if y.desc.Delta() {
			b.DeltaDiskFormat = string(types.VirtualDiskDeltaDiskFormatRedoLogFormat)
		}
		if last == nil {
			backing = b
		} else {
			last.Parent = b
		}
		last = b
	}
	var device types.BaseVirtualDeviceBackingInfo = backing
	if raw := base.rawBacking(backing.VirtualDeviceFileBackingInfo, mode); raw != nil {
		device = raw
	}
	return &types.VirtualDisk{
		VirtualDevice:   types.VirtualDevice{Backing: device},
		CapacityInKB:    base.capacity() / 1024,
		CapacityInBytes: base.capacity(),
		Shares:          &types.SharesInfo{Shares: 1000, Level: types.SharesLevelNormal},
		StorageIOAllocation: &types.StorageIOAllocationInfo{
			Limit: types.NewInt64(-1), Shares: &types.SharesInfo{Shares: 1000, Level: types.SharesLevelNormal}, Reservation: types.NewInt32(0),
		},
	}
}

func diskID(y layer) string {
	u, _ := vmx.ParseUUID(y.desc.DDB.Get("ddb.uuid"))
	return strings.ToUpper(u)
}

// fileBacking names a file by the datacenter's names; a volume that it does not have keeps its UUID, as at vCenter.
func (vc *VC) fileBacking(dc *simulator.Datacenter, at place) types.VirtualDeviceFileBackingInfo {
	if v := vc.lookup(dc, at.uuid); v != nil {
		ref := v.ref
		return types.VirtualDeviceFileBackingInfo{FileName: v.path(at.path), Datastore: &ref}
	}
	return types.VirtualDeviceFileBackingInfo{FileName: volumesRoot + at.String()}
}
