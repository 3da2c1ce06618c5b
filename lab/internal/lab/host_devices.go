package lab

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/fabric"
)

const (
	bootDisk     = "mpx.vmhba0:C0:T0:L0"
	bootDiskSize = 32 << 30
	sector       = 512
)

// storageDevices is what a host reports of its HBAs, its devices and the paths to them.
func (l *Lab) storageDevices(host string) *types.HostStorageDeviceInfo {
	info := &types.HostStorageDeviceInfo{
		HostBusAdapter: []types.BaseHostHostBusAdapter{&types.HostBlockHba{HostHostBusAdapter: types.HostHostBusAdapter{
			Key: "key-vim.host.BlockHba-vmhba0", Device: "vmhba0", Bus: 0, Status: "unknown", Model: "Wellsburg AHCI Controller", Driver: "vmw_ahci", Pci: "0000:00:1f.2",
		}}},
		ScsiLun:           localDevices(l.Fabric.Devices(host)),
		MultipathInfo:     &types.HostMultipathInfo{},
		PlugStoreTopology: &types.HostPlugStoreTopology{},
		ScsiTopology:      &types.HostScsiTopology{},
	}
	hbas := l.Fabric.HBAs(host)
	for i, h := range hbas {
		info.HostBusAdapter = append(info.HostBusAdapter, &types.HostFibreChannelHba{
			HostHostBusAdapter: types.HostHostBusAdapter{
				Key: adapterKey(h), Device: h.Device, Bus: int32(3 + i), Status: "online", Model: "Emulex LightPulse LPe16002 PCIe Fibre Channel Adapter",
				Driver: "lpfc", Pci: fmt.Sprintf("0000:03:00.%d", i),
			},
			PortWorldWideName: h.WWPN, NodeWorldWideName: h.WWNN, PortType: types.FibreChannelPortTypeFabric, Speed: 16,
		})
	}
	targets := map[string][]fabric.Device{} // array → devices
	var arrays []string
	for _, d := range l.Fabric.Devices(host) {
		if d.Array == "" {
			continue
		}
		if targets[d.Array] == nil {
			arrays = append(arrays, d.Array)
		}
		targets[d.Array] = append(targets[d.Array], d)
	}
	for _, h := range hbas {
		i := types.HostScsiTopologyInterface{Key: "key-vim.host.ScsiTopology.Interface-" + h.Device, Adapter: adapterKey(h)}
		for _, t := range l.targets(host, h, arrays) {
			target := types.HostScsiTopologyTarget{Key: fmt.Sprintf("key-vim.host.ScsiTopology.Target-%s:0:%d", h.Device, t.number), Target: int32(t.number), Transport: t.transport()}
			for _, d := range targets[t.array] {
				target.Lun = append(target.Lun, types.HostScsiTopologyLun{
					Key: fmt.Sprintf("key-vim.host.ScsiTopology.Lun-%s-%s:%d", d.NAA, h.Device, t.number), Lun: int32(d.Number), ScsiLun: lunKey(d.NAA),
				})
			}
			i.Target = append(i.Target, target)
		}
		info.ScsiTopology.Adapter = append(info.ScsiTopology.Adapter, i)
	}
	for _, a := range arrays {
		for _, d := range targets[a] {
			info.ScsiLun = append(info.ScsiLun, scsiDisk(d))
			info.MultipathInfo.Lun = append(info.MultipathInfo.Lun, l.paths(host, hbas, arrays, d))
		}
	}
	return info
}

// target is a port of an array as one HBA sees it.
type target struct {
	array  string
	number int
	wwpn   int64
	open   bool
}

func (t target) transport() types.BaseHostTargetTransport {
	return &types.HostFibreChannelTargetTransport{PortWorldWideName: t.wwpn, NodeWorldWideName: t.wwpn &^ 0xff}
}

// targets are the array ports that an HBA of the host has found.
func (l *Lab) targets(host string, h fabric.HBA, arrays []string) []target {
	var out []target
	for _, a := range arrays {
		for _, p := range l.Fabric.Paths(host, a) {
			if p.HBA == h {
				out = append(out, target{a, len(out), p.Port, p.Open})
			}
		}
	}
	return out
}

// paths lists the paths to a device. Those of a withdrawn device, and those that zoning has closed, are dead, those of a detached
// one disabled.
func (l *Lab) paths(host string, hbas []fabric.HBA, arrays []string, d fabric.Device) types.HostMultipathInfoLogicalUnit {
	u := types.HostMultipathInfoLogicalUnit{
		Key: "key-vim.host.MultipathInfo.LogicalUnit-" + scsiUUID(d.NAA), Id: scsiUUID(d.NAA), Lun: lunKey(d.NAA),
		Policy:                 &types.HostMultipathInfoLogicalUnitPolicy{Policy: "VMW_PSP_RR"},
		StorageArrayTypePolicy: &types.HostMultipathInfoLogicalUnitStorageArrayTypePolicy{Policy: "VMW_SATP_ALUA"},
	}
	for _, h := range hbas {
		for _, t := range l.targets(host, h, arrays) {
			if t.array != d.Array {
				continue
			}
			state := types.MultipathStateActive
			switch {
			case d.Detached:
				state = types.MultipathStateDisabled
			case !d.Usable || !t.open:
				state = types.MultipathStateDead
			}
			name := fmt.Sprintf("%s:C0:T%d:L%d", h.Device, t.number, d.Number)
			u.Path = append(u.Path, types.HostMultipathInfoPath{
				Key: "key-vim.host.MultipathInfo.Path-" + name, Name: name, PathState: string(state), State: string(state),
				IsWorkingPath: types.NewBool(state == types.MultipathStateActive), Adapter: adapterKey(h), Lun: u.Key, Transport: t.transport(),
			})
		}
	}
	return u
}

func adapterKey(h fabric.HBA) string { return "key-vim.host.FibreChannelHba-" + h.Device }
func lunKey(naa string) string       { return "key-vim.host.ScsiDisk-" + scsiUUID(naa) }
func devicePath(naa string) string   { return "/vmfs/devices/disks/" + naa }

// scsiUUID is the identifier that attach, detach and format take: type, length, the NAA number and the model.
func scsiUUID(naa string) string {
	return "0200000000" + strings.TrimPrefix(naa, "naa.") + hex.EncodeToString([]byte("VRAID "))
}

// vendors of arrays, by the registered number in the NAA.
var vendors = []struct{ prefix, vendor, model string }{
	{"naa.60060160", "DGC", "VRAID"},
	{"naa.68ccf098", "DellEMC", "PowerStore"},
	{"naa.600a0980", "NETAPP", "LUN C-Mode"},
	{"naa.624a9370", "PURE", "FlashArray"},
}

func scsiDisk(d fabric.Device) *types.HostScsiDisk {
	x := newDisk(d.NAA, d.Size)
	x.Key, x.Uuid = lunKey(d.NAA), scsiUUID(d.NAA)
	x.Vendor, x.Model = "LAB", "Array"
	for _, v := range vendors {
		if strings.HasPrefix(d.NAA, v.prefix) {
			x.Vendor, x.Model = v.vendor, v.model
		}
	}
	x.DisplayName = fmt.Sprintf("%s Fibre Channel Disk (%s)", x.Vendor, d.NAA)
	x.LocalDisk = types.NewBool(false)
	x.VStorageSupport = string(types.FileSystemMountInfoVStorageSupportStatusVStorageSupported)
	switch {
	case d.Detached:
		x.OperationalState = []string{string(types.ScsiLunStateOff)}
	case !d.Usable:
		x.OperationalState = []string{string(types.ScsiLunStateLostCommunication)}
	}
	return x
}

// localDisk is the disk that ESXi boots from; nothing can be made of it.
func localDisk() *types.HostScsiDisk {
	x := newDisk(bootDisk, bootDiskSize)
	x.Uuid = "0000000000766d686261303a303a30"
	x.Key = "key-vim.host.ScsiDisk-" + x.Uuid
	x.DisplayName, x.Vendor, x.Model = "Local ATA Disk ("+bootDisk+")", "ATA", "SATADOM"
	x.LocalDisk = types.NewBool(true)
	x.VStorageSupport = string(types.FileSystemMountInfoVStorageSupportStatusVStorageUnsupported)
	return x
}

func newDisk(name string, size int64) *types.HostScsiDisk {
	x := &types.HostScsiDisk{
		DevicePath: devicePath(name), Ssd: types.NewBool(true),
		Capacity: types.HostDiskDimensionsLba{BlockSize: sector, Block: size / sector},
	}
	x.DeviceName, x.DeviceType = x.DevicePath, "disk"
	x.CanonicalName, x.LunType = name, "disk"
	x.Revision, x.ScsiLevel, x.QueueDepth = "0001", 6, 64
	x.OperationalState = []string{string(types.ScsiLunStateOk)}
	return x
}
