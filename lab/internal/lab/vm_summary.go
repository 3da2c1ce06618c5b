package lab

import (
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// derived are the properties of a VM that follow from its configuration and its files.
type derived struct {
	datastores, networks []types.ManagedObjectReference
	layout               *types.VirtualMachineFileLayout
	layoutEx             *types.VirtualMachineFileLayoutEx
	storage              *types.VirtualMachineStorageInfo
	consolidate          bool // deltas are left that belong to no snapshot
}

// derive reads the files that a configuration names. It takes no lock of the VM; apply does its work under it.
func (vc *VC) derive(c *types.VirtualMachineConfigInfo, dc *simulator.Datacenter, host types.ManagedObjectReference) derived {
	now := time.Now()
	d := derived{
		layout:   &types.VirtualMachineFileLayout{},
		layoutEx: &types.VirtualMachineFileLayoutEx{Timestamp: now},
		storage:  &types.VirtualMachineStorageInfo{Timestamp: now},
	}
	used := map[types.ManagedObjectReference]*types.VirtualMachineUsageOnDatastore{}
	file := func(kind string, at place, size int64) int32 {
		b := vc.fileBacking(dc, at)
		d.layoutEx.File = append(d.layoutEx.File, types.VirtualMachineFileLayoutExFileInfo{
			Key: int32(len(d.layoutEx.File)), Name: b.FileName, Type: kind, Size: size, UniqueSize: size, Accessible: types.NewBool(b.Datastore != nil),
		})
		if b.Datastore != nil {
			if used[*b.Datastore] == nil {
				used[*b.Datastore] = &types.VirtualMachineUsageOnDatastore{Datastore: *b.Datastore}
				d.datastores = append(d.datastores, *b.Datastore)
			}
			used[*b.Datastore].Committed += size
			used[*b.Datastore].Unshared += size
		}
		return int32(len(d.layoutEx.File) - 1)
	}
	at, _ := vc.placeNamed(dc, c.Files.VmPathName)
	file("config", at, vc.lab.size(at))
	base := strings.TrimSuffix(path.Base(at.path), path.Ext(at.path))
	for _, x := range [][2]string{{"nvram", base + ".nvram"}, {"snapshotList", base + ".vmsd"}, {"log", "vmware.log"}} {
		kind, name := x[0], x[1]
		if p := at.absolute(name); vc.lab.size(p) >= 0 {
			file(kind, p, vc.lab.size(p))
			if kind == "log" {
				d.layout.LogFile = append(d.layout.LogFile, name)
			} else {
				d.layout.ConfigFile = append(d.layout.ConfigFile, name)
			}
		}
	}
	h, _ := vc.Map().Get(host).(*simulator.HostSystem)
	snapshots := vc.lab.snapshotsAt(at)
	for _, x := range c.Hardware.Device {
		v := x.GetVirtualDevice()
		switch y := x.(type) {
		case *types.VirtualDisk:
			if p, ok := vc.placeOf(dc, x); ok {
				layers := d.disk(vc, dc, v.Key, p, file, used)
				d.consolidate = d.consolidate || snapshots.unconsolidated(nodeOf(c.Hardware.Device, y), layers)
			}
		case *types.VirtualCdrom:
			if p, ok := vc.placeOf(dc, x); ok {
				file("cdrom", p, max(0, vc.lab.size(p)))
			}
		case types.BaseVirtualEthernetCard:
			if h == nil {
				continue
			}
			if n, fault := vc.networkFor(h, "", v.Backing); fault == nil && !slices.Contains(d.networks, n) {
				d.networks = append(d.networks, n)
			}
		}
	}
	for _, ref := range d.datastores {
		d.storage.PerDatastoreUsage = append(d.storage.PerDatastoreUsage, *used[ref])
	}
	return d
}

func (d *derived) disk(vc *VC, dc *simulator.Datacenter, key int32, p place, file func(string, place, int64) int32, used map[types.ManagedObjectReference]*types.VirtualMachineUsageOnDatastore) []layer {
	layers, fault := vc.lab.readDisk(p)
	if fault != nil {
		return nil
	}
	disk := types.VirtualMachineFileLayoutExDiskLayout{Key: key}
	plain := types.VirtualMachineFileLayoutDiskLayout{Key: key}
	for i := len(layers) - 1; i >= 0; i-- { // the base first
		y := layers[i]
		descriptor := file("diskDescriptor", y.at, vc.lab.size(y.at))
		extent := file("diskExtent", y.extent(), y.allocated())
		disk.Chain = append(disk.Chain, types.VirtualMachineFileLayoutExDiskUnit{FileKey: []int32{descriptor, extent}})
		plain.DiskFile = append(plain.DiskFile, d.layoutEx.File[descriptor].Name)
		if u := used[deref(vc.fileBacking(dc, y.at).Datastore)]; u != nil && y.thin() {
			u.Uncommitted += y.capacity() - y.allocated()
		}
	}
	d.layoutEx.Disk = append(d.layoutEx.Disk, disk)
	d.layout.Disk = append(d.layout.Disk, plain)
	return layers
}

func deref(r *types.ManagedObjectReference) types.ManagedObjectReference {
	if r == nil {
		return types.ManagedObjectReference{}
	}
	return *r
}

// size is the size of a file, or -1.
func (l *Lab) size(p place) int64 {
	i, err := os.Stat(l.on(p))
	if err != nil {
		return -1
	}
	return i.Size()
}

// apply writes the derived properties and the summary of the configuration into the VM, under its lock.
func (d derived) apply(vm *simulator.VirtualMachine) {
	c := vm.Config
	vm.Datastore, vm.Network, vm.Layout, vm.LayoutEx, vm.Storage = d.datastores, d.networks, d.layout, d.layoutEx, d.storage
	s := types.VirtualMachineConfigSummary{
		Name: c.Name, Template: c.Template, VmPathName: c.Files.VmPathName, MemorySizeMB: c.Hardware.MemoryMB, NumCpu: c.Hardware.NumCPU,
		Uuid: c.Uuid, InstanceUuid: c.InstanceUuid, GuestId: c.GuestId, GuestFullName: c.GuestFullName, Annotation: c.Annotation, HwVersion: c.Version,
		InstallBootRequired: types.NewBool(false),
	}
	for _, x := range c.Hardware.Device {
		switch x.(type) {
		case *types.VirtualDisk:
			s.NumVirtualDisks++
		case types.BaseVirtualEthernetCard:
			s.NumEthernetCards++
		}
	}
	if a := c.CpuAllocation; a != nil && a.Reservation != nil {
		s.CpuReservation = int32(*a.Reservation)
	}
	if a := c.MemoryAllocation; a != nil && a.Reservation != nil {
		s.MemoryReservation = int32(*a.Reservation)
	}
	vm.Runtime.ConsolidationNeeded, vm.Runtime.CryptoState = d.consolidate, ""
	if c.KeyId != nil {
		vm.Runtime.CryptoState = string(types.VirtualMachineCryptoStateUnlocked)
	}
	vm.Name = c.Name
	vm.Summary.Config = s
	vm.Summary.Runtime = vm.Runtime
	storage := &types.VirtualMachineStorageSummary{Timestamp: d.storage.Timestamp}
	for _, u := range d.storage.PerDatastoreUsage {
		storage.Committed += u.Committed
		storage.Uncommitted += u.Uncommitted
		storage.Unshared += u.Unshared
	}
	vm.Summary.Storage = storage
}

// report writes what VMware Tools tell of the guest: nothing while they do not run.
func report(vm *simulator.VirtualMachine, g guest, running bool) {
	info := &types.GuestInfo{
		ToolsStatus: types.VirtualMachineToolsStatusToolsNotInstalled, ToolsRunningStatus: string(types.VirtualMachineToolsRunningStatusGuestToolsNotRunning),
		ToolsVersionStatus: string(types.VirtualMachineToolsVersionStatusGuestToolsNotInstalled), ToolsVersionStatus2: string(types.VirtualMachineToolsVersionStatusGuestToolsNotInstalled),
		ToolsVersion: "0", GuestState: string(types.VirtualMachineGuestStateNotRunning), Screen: &types.GuestScreenInfo{Width: 0, Height: 0},
		GuestOperationsReady: types.NewBool(running), InteractiveGuestOperationsReady: types.NewBool(false), GuestStateChangeSupported: types.NewBool(running),
	}
	on := vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn
	if g.installed() {
		info.ToolsVersion = toolsVersion
		info.ToolsStatus = types.VirtualMachineToolsStatusToolsNotRunning
		info.ToolsVersionStatus = string(types.VirtualMachineToolsVersionStatusGuestToolsCurrent)
		info.ToolsVersionStatus2 = string(types.VirtualMachineToolsVersionStatusGuestToolsCurrent)
		info.ToolsInstallType = string(types.VirtualMachineToolsInstallTypeGuestToolsTypeMSI)
	}
	heartbeat := types.ManagedEntityStatusGray
	if on && running {
		heartbeat = types.ManagedEntityStatusGreen
		info.ToolsRunningStatus = string(types.VirtualMachineToolsRunningStatusGuestToolsRunning)
		info.ToolsStatus = types.VirtualMachineToolsStatusToolsOk
		info.GuestState = string(types.VirtualMachineGuestStateRunning)
		info.GuestId, info.GuestFamily, info.GuestFullName = vm.Config.GuestId, guestFamily(vm.Config.GuestId), vm.Config.GuestFullName
		info.HostName = g.ID
		info.Net = guestNICs(vm.Config, g)
		for _, n := range info.Net {
			if info.IpAddress == "" && len(n.IpAddress) > 0 {
				info.IpAddress = n.IpAddress[0]
			}
		}
	}
	vm.Guest, vm.GuestHeartbeatStatus = info, heartbeat
	vm.Summary.Guest = &types.VirtualMachineGuestSummary{
		GuestId: info.GuestId, GuestFullName: info.GuestFullName, ToolsStatus: info.ToolsStatus, ToolsVersionStatus: info.ToolsVersionStatus,
		ToolsVersionStatus2: info.ToolsVersionStatus2, ToolsRunningStatus: info.ToolsRunningStatus, HostName: info.HostName, IpAddress: info.IpAddress,
	}
	q := types.VirtualMachineQuickStats{GuestHeartbeatStatus: heartbeat}
	if on {
		q.OverallCpuUsage, q.OverallCpuDemand = 60*vm.Config.Hardware.NumCPU, 60*vm.Config.Hardware.NumCPU
		q.HostMemoryUsage, q.GuestMemoryUsage = vm.Config.Hardware.MemoryMB/2, vm.Config.Hardware.MemoryMB/10
	}
	vm.Summary.QuickStats = q
}

// current marks the Tools as old where the host brings newer ones: from ESXi 6.5 on, 6.0's are "supported, but old".
func current(vm *simulator.VirtualMachine, g guest, esxi string) {
	if !g.installed() || scenario.Compare(esxi, "6.5") < 0 {
		return
	}
	old := *vm.Guest
	old.ToolsVersionStatus = string(types.VirtualMachineToolsVersionStatusGuestToolsNeedUpgrade)
	old.ToolsVersionStatus2 = string(types.VirtualMachineToolsVersionStatusGuestToolsSupportedOld)
	if old.ToolsStatus == types.VirtualMachineToolsStatusToolsOk {
		old.ToolsStatus = types.VirtualMachineToolsStatusToolsOld
	}
	vm.Guest = &old
	s := *vm.Summary.Guest
	s.ToolsVersionStatus, s.ToolsVersionStatus2, s.ToolsStatus = old.ToolsVersionStatus, old.ToolsVersionStatus2, old.ToolsStatus
	vm.Summary.Guest = &s
}

func guestNICs(c *types.VirtualMachineConfigInfo, g guest) []types.GuestNicInfo {
	var out []types.GuestNicInfo
	for _, x := range c.Hardware.Device {
		card, ok := x.(types.BaseVirtualEthernetCard)
		if !ok {
			continue
		}
		e := card.GetVirtualEthernetCard()
		n := types.GuestNicInfo{MacAddress: e.MacAddress, Connected: e.Connectable == nil || e.Connectable.Connected, DeviceConfigId: e.Key}
		if b, ok := e.Backing.(*types.VirtualEthernetCardNetworkBackingInfo); ok {
			n.Network = b.DeviceName
		}
		if i := len(out); i < len(g.IPs) && n.Connected {
			n.IpAddress = []string{g.IPs[i]}
			n.IpConfig = &types.NetIpConfigInfo{IpAddress: []types.NetIpConfigInfoIpAddress{{IpAddress: g.IPs[i], PrefixLength: 24, State: "preferred"}}}
		}
		out = append(out, n)
	}
	return out
}

// connect sets whether NICs and CD drives are connected, as it follows from power and their start settings. It replaces the
// configuration.
func connect(vm *simulator.VirtualMachine, on bool) {
	c := *vm.Config
	c.Hardware.Device = slices.Clone(c.Hardware.Device)
	for i, x := range c.Hardware.Device {
		if x.GetVirtualDevice().Connectable == nil {
			continue
		}
		y := clone(x)
		n := y.GetVirtualDevice().Connectable
		n.Connected = on && n.StartConnected
		n.Status = string(types.VirtualDeviceConnectInfoStatusUntried)
		if n.Connected {
			n.Status = string(types.VirtualDeviceConnectInfoStatusOk)
		}
		c.Hardware.Device[i] = y
	}
	vm.Config = &c
}

// modified marks a change of the configuration, under the VM's lock.
func modified(c *types.VirtualMachineConfigInfo) {
	n, _ := strconv.Atoi(c.ChangeVersion)
	c.ChangeVersion, c.Modified = strconv.Itoa(n+1), time.Now()
}
