package lab

import (
	"strings"

	"github.com/vmware/govmomi/vim25/types"
)

// Raw device mappings: a .vmdk that points to a LUN instead of to a file. The lab has them so that they can be seen and refused;
// what would touch their data is not modelled and refused.

// rawCreateTypes are the createType of a mapping's descriptor and the ending of its mapping file, by the scenario's word.
var rawCreateTypes = map[string][2]string{
	"physical": {"vmfsPassthroughRawDeviceMap", "-rdmp.vmdk"},
	"virtual":  {"vmfsRawDeviceMap", "-rdm.vmdk"},
}

// rawDevice turns a new disk into a mapping.
func rawDevice(y layer, kind string) layer {
	y.desc.CreateType, y.desc.ExtentType = rawCreateTypes[kind][0], "VMFSRDM"
	y.desc.ExtentFile = strings.TrimSuffix(y.desc.ExtentFile, "-flat.vmdk") + rawCreateTypes[kind][1]
	return y
}

// rawBacking is the backing of a mapping, nil for another disk.
func (y layer) rawBacking(file types.VirtualDeviceFileBackingInfo, mode string) *types.VirtualDiskRawDiskMappingVer1BackingInfo {
	b := &types.VirtualDiskRawDiskMappingVer1BackingInfo{
		VirtualDeviceFileBackingInfo: file, DiskMode: mode, Uuid: diskID(y), ContentId: y.desc.DDB.Get("ddb.longContentID"),
		LunUuid: "0200000000" + strings.ReplaceAll(strings.ToLower(diskID(y)), "-", ""), DeviceName: "vml." + diskID(y),
		Sharing: string(types.VirtualDiskSharingSharingNone),
	}
	switch y.desc.CreateType {
	case rawCreateTypes["physical"][0]:
		b.CompatibilityMode = string(types.VirtualDiskCompatibilityModePhysicalMode)
	case rawCreateTypes["virtual"][0]:
		b.CompatibilityMode = string(types.VirtualDiskCompatibilityModeVirtualMode)
	default:
		return nil
	}
	return b
}

// mapsRawDevice refuses what the lab does not do to a VM with a raw device mapping.
func (m *machine) mapsRawDevice(what string) types.BaseMethodFault {
	for _, d := range m.config().Hardware.Device {
		if disk, ok := d.(*types.VirtualDisk); ok {
			if _, raw := disk.Backing.(*types.VirtualDiskRawDiskMappingVer1BackingInfo); raw {
				return because(new(types.NotSupported), "The lab does not %s a virtual machine with a raw device mapping.", what)
			}
		}
	}
	return nil
}
