package lab

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/vmx"
)

// known are the keys of a .vmx that stand for a property of the configuration; every other key is extra configuration.
var known = regexp.MustCompile(`(?i)^(\.encoding|config\.version|virtualHW\.version|displayName|guestOS|uuid\.(bios|location)|vc\.uuid|annotation|` +
	`memSize|numvcpus|cpuid\.coresPerSocket|firmware|ctkEnabled|vcpu\.hotadd|mem\.hotadd|tools\.syncTime|` +
	`(scsi|sata|ide)\d+(:\d+)?\..*|ethernet\d+\..*|sched\.(cpu|mem)\.(units|min|minSize|max|shares|affinity|pin|latencySensitivity)|` +
	`checkpoint\.vmState|encryption\.keySafe|managedBy\.(extensionKey|type)|` + peripheral + `)$`)

// encode writes a configuration as a .vmx at a place. location is the hash that the question "moved or copied" compares.
func encode(c *types.VirtualMachineConfigInfo, at place, location string, places func(types.BaseVirtualDevice) (place, bool)) *vmx.Dictionary {
	d := vmx.New()
	d.Set(".encoding", "UTF-8")
	d.Set("config.version", "8")
	d.Set("virtualHW.version", strings.TrimPrefix(c.Version, "vmx-"))
	d.Set("displayName", c.Name)
	d.Set("guestOS", guestToVMX(c.GuestId))
	d.Set("memSize", strconv.Itoa(int(c.Hardware.MemoryMB)))
	d.Set("numvcpus", strconv.Itoa(int(c.Hardware.NumCPU)))
	if n := c.Hardware.NumCoresPerSocket; n != nil && *n > 1 {
		d.Set("cpuid.coresPerSocket", strconv.Itoa(int(*n)))
	}
	d.Set("uuid.bios", vmx.FormatUUID(c.Uuid))
	d.Set("uuid.location", vmx.FormatUUID(location))
	d.Set("vc.uuid", vmx.FormatUUID(c.InstanceUuid))
	if c.Annotation != "" {
		d.Set("annotation", c.Annotation)
	}
	if c.Firmware == string(types.GuestOsDescriptorFirmwareTypeEfi) {
		d.Set("firmware", c.Firmware)
	}
	for key, on := range map[string]*bool{"ctkEnabled": c.ChangeTrackingEnabled, "vcpu.hotadd": c.CpuHotAddEnabled, "mem.hotadd": c.MemoryHotAddEnabled} {
		if isTrue(on) {
			d.SetBool(key, true)
		}
	}
	if c.Tools != nil && isTrue(c.Tools.SyncTimeWithHost) {
		d.SetBool("tools.syncTime", true)
	}
	encodeShares(d, "sched.cpu.", "min", c.CpuAllocation)
	encodeShares(d, "sched.mem.", "minSize", c.MemoryAllocation)
	encodeSchedule(d, c)
	if c.ManagedBy != nil {
		d.Set("managedBy.extensionKey", c.ManagedBy.ExtensionKey)
		d.Set("managedBy.type", c.ManagedBy.Type)
	}
	if c.KeyId != nil {
		d.Set("encryption.keySafe", keySafe(c.KeyId))
	}
	encodeDevices(d, c.Hardware.Device, at, places)
	for _, o := range c.ExtraConfig {
		v := o.GetOptionValue()
		d.Set(v.Key, fmt.Sprint(v.Value))
	}
	return d
}

func encodeShares(d *vmx.Dictionary, prefix, minimum string, a *types.ResourceAllocationInfo) {
	if a == nil {
		return
	}
	if a.Reservation != nil && *a.Reservation > 0 {
		d.Set(prefix+minimum, strconv.FormatInt(*a.Reservation, 10))
	}
	if a.Limit != nil && *a.Limit >= 0 {
		d.Set(prefix+"max", strconv.FormatInt(*a.Limit, 10))
	}
	if a.Shares != nil {
		v := string(a.Shares.Level)
		if a.Shares.Level == types.SharesLevelCustom {
			v = strconv.Itoa(int(a.Shares.Shares))
		}
		d.Set(prefix+"shares", v)
	}
}

func decodeShares(d *vmx.Dictionary, prefix, minimum string, perUnit, units int32) *types.ResourceAllocationInfo {
	a := &types.ResourceAllocationInfo{
		Reservation: types.NewInt64(d.Int(prefix+minimum, 0)), Limit: types.NewInt64(d.Int(prefix+"max", -1)), ExpandableReservation: types.NewBool(false),
		Shares: &types.SharesInfo{Level: types.SharesLevelNormal, Shares: perUnit * units},
	}
	switch v := strings.ToLower(d.Get(prefix + "shares")); v {
	case "low":
		a.Shares = &types.SharesInfo{Level: types.SharesLevelLow, Shares: perUnit * units / 2}
	case "high":
		a.Shares = &types.SharesInfo{Level: types.SharesLevelHigh, Shares: perUnit * units * 2}
	default:
		if n, err := strconv.Atoi(v); err == nil {
			a.Shares = &types.SharesInfo{Level: types.SharesLevelCustom, Shares: int32(n)}
		}
	}
	return a
}

// encodeDevices writes the devices; places tells where the file of a disk or of a CD image lies.
func encodeDevices(d *vmx.Dictionary, devices []types.BaseVirtualDevice, at place, places func(types.BaseVirtualDevice) (place, bool)) {
	list := object.VirtualDeviceList(devices)
	nic, direct := 0, 0
	for _, x := range devices {
		v := x.GetVirtualDevice()
		file, _ := places(x)
		if encodePeripheral(d, x, at, file, &direct) {
			continue
		}
		switch y := x.(type) {
		case types.BaseVirtualSCSIController:
			c := y.GetVirtualSCSIController()
			d.Setf("TRUE", "scsi%d.present", c.BusNumber)
			d.Setf(scsiType(x), "scsi%d.virtualDev", c.BusNumber)
			d.Setf(translate(busSharing, 0, 1, string(c.SharedBus)), "scsi%d.sharedBus", c.BusNumber)
		case types.BaseVirtualSATAController:
			d.Setf("TRUE", "sata%d.present", y.GetVirtualSATAController().BusNumber)
		case *types.VirtualDisk, *types.VirtualCdrom:
			c := list.FindByKey(v.ControllerKey)
			if c == nil || v.UnitNumber == nil {
				continue
			}
			node := fmt.Sprintf("%s%d:%d", busOf(c), c.(types.BaseVirtualController).GetVirtualController().BusNumber, *v.UnitNumber)
			encodeDrive(d, node, x, at.relative(file))
		case types.BaseVirtualEthernetCard:
			n := v.Key - nicKey
			if n < 0 || n > 9 {
				n = int32(nic)
			}
			nic++
			encodeNIC(d, fmt.Sprintf("ethernet%d.", n), x)
		}
	}
}

func busOf(c types.BaseVirtualDevice) string {
	switch c.(type) {
	case types.BaseVirtualSCSIController:
		return "scsi"
	case types.BaseVirtualSATAController:
		return "sata"
	}
	return "ide"
}

func encodeDrive(d *vmx.Dictionary, node string, x types.BaseVirtualDevice, file string) {
	d.Set(node+".present", "TRUE")
	v := x.GetVirtualDevice()
	if _, ok := x.(*types.VirtualDisk); ok {
		d.Set(node+".deviceType", strings.TrimRight(node, "0123456789:")+"-hardDisk")
		d.Set(node+".fileName", file)
		if b, ok := v.Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok && b.DiskMode != "persistent" {
			d.Set(node+".mode", translate(diskModes, 0, 1, b.DiskMode))
		}
		if s := translate(diskSharing, 0, 1, sharingOf(x.(*types.VirtualDisk))); s != "none" {
			d.Set(node+".sharing", s)
		}
		return
	}
	switch b := v.Backing.(type) {
	case *types.VirtualCdromIsoBackingInfo:
		d.Set(node+".deviceType", "cdrom-image")
		d.Set(node+".fileName", file)
		if image, ok := strings.CutPrefix(b.FileName, noDatastore); ok {
			d.Set(node+".fileName", image)
		}
	case *types.VirtualCdromAtapiBackingInfo:
		d.Set(node+".deviceType", "atapi-cdrom")
		d.Set(node+".fileName", b.DeviceName)
	case *types.VirtualCdromRemotePassthroughBackingInfo:
		d.Set(node+".deviceType", "cdrom-raw")
		d.Set(node+".fileName", b.DeviceName)
		d.Set(node+".clientDevice", "TRUE")
	default:
		d.Set(node+".deviceType", "atapi-cdrom")
		d.Set(node+".fileName", "")
	}
	if v.Connectable != nil {
		d.SetBool(node+".startConnected", v.Connectable.StartConnected)
	}
}

func encodeNIC(d *vmx.Dictionary, prefix string, x types.BaseVirtualDevice) {
	card := x.(types.BaseVirtualEthernetCard).GetVirtualEthernetCard()
	d.Set(prefix+"present", "TRUE")
	d.Set(prefix+"virtualDev", nicType(x))
	switch b := card.Backing.(type) {
	case *types.VirtualEthernetCardNetworkBackingInfo:
		d.Set(prefix+"networkName", b.DeviceName)
	case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
		d.Set(prefix+"dvs.switchId", b.Port.SwitchUuid)
		d.Set(prefix+"dvs.portId", b.Port.PortKey)
		d.Set(prefix+"dvs.portgroupId", b.Port.PortgroupKey)
	}
	kind := translate(addressTypes, 0, 1, card.AddressType)
	d.Set(prefix+"addressType", kind)
	if kind == "static" {
		d.Set(prefix+"address", card.MacAddress)
	} else {
		d.Set(prefix+"generatedAddress", card.MacAddress)
	}
	if card.Connectable != nil && !card.Connectable.StartConnected {
		d.Set(prefix+"startConnected", "FALSE")
	}
}

// decode reads the configuration of a .vmx at a place, with the guest on its first disk.
func (vc *VC) decode(dc *simulator.Datacenter, at place, d *vmx.Dictionary) (*types.VirtualMachineConfigInfo, guest, types.BaseMethodFault) {
	invalid := func(key, format string, args ...any) (*types.VirtualMachineConfigInfo, guest, types.BaseMethodFault) {
		return nil, guest{}, because(&types.InvalidVmConfig{Property: key}, format, args...)
	}
	if d.Get("displayName") == "" {
		return invalid("displayName", "The file has no displayName.")
	}
	id, ok := guestFromVMX(d.Get("guestOS"))
	if !ok {
		return invalid("guestOS", "guestOS '%s' is not known.", d.Get("guestOS"))
	}
	hw, mem, cpus := d.Int("virtualHW.version", 0), d.Int("memSize", 0), d.Int("numvcpus", 1)
	if hw < 3 || mem < 4 || cpus < 1 {
		return invalid("virtualHW.version", "virtualHW.version, memSize or numvcpus is missing or wrong.")
	}
	bios, ok := vmx.ParseUUID(d.Get("uuid.bios"))
	if !ok {
		bios = vc.lab.ID.UUID("bios", at.String())
	}
	instance, ok := vmx.ParseUUID(d.Get("vc.uuid"))
	if !ok {
		instance = vc.lab.ID.UUID("instance", at.String())
	}
	devices, disks, fault := vc.readDevices(dc, at, d)
	if fault != nil {
		return nil, guest{}, fault
	}
	g := guest{Tools: "notInstalled"}
	if len(disks) > 0 {
		layers, fault := vc.lab.readDisk(disks[0])
		if fault != nil {
			return nil, guest{}, fault
		}
		g = readGuest(layers)
	}
	file := vc.fileBacking(dc, at).FileName
	dir := file[:strings.LastIndex(file, "/")+1]
	c := &types.VirtualMachineConfigInfo{
		ChangeVersion: "1", Modified: vc.lab.start, Name: d.Get("displayName"), GuestId: id, GuestFullName: guestName(id), Version: fmt.Sprintf("vmx-%02d", hw),
		Uuid: bios, InstanceUuid: instance, Annotation: d.Get("annotation"),
		Files: types.VirtualMachineFileInfo{VmPathName: file, SnapshotDirectory: dir, SuspendDirectory: dir, LogDirectory: dir},
		Tools: toolsConfig(g, d.True("tools.syncTime")),
		Flags: types.VirtualMachineFlagInfo{
			EnableLogging: types.NewBool(true), UseToe: types.NewBool(false), RunWithDebugInfo: types.NewBool(false), DisableAcceleration: types.NewBool(false),
			MonitorType: "release", SnapshotDisabled: types.NewBool(false), SnapshotLocked: types.NewBool(false), DiskUuidEnabled: types.NewBool(d.True("disk.EnableUUID")),
			VirtualMmuUsage: "automatic", VirtualExecUsage: "hvAuto", SnapshotPowerOffBehavior: "powerOff", RecordReplayEnabled: types.NewBool(false),
		},
		DefaultPowerOps: types.VirtualMachineDefaultPowerOpInfo{
			PowerOffType: "soft", SuspendType: "hard", ResetType: "soft", DefaultPowerOffType: "soft", DefaultSuspendType: "hard", DefaultResetType: "soft", StandbyAction: "checkpoint",
		},
		Hardware: types.VirtualHardware{
			NumCPU: int32(cpus), NumCoresPerSocket: types.NewInt32(int32(d.Int("cpuid.coresPerSocket", 1))), MemoryMB: int32(mem), Device: devices,
			VirtualICH7MPresent: types.NewBool(false), VirtualSMCPresent: types.NewBool(false),
		},
		CpuAllocation:         decodeShares(d, "sched.cpu.", "min", 1000, int32(cpus)),
		MemoryAllocation:      decodeShares(d, "sched.mem.", "minSize", 10, int32(mem)),
		LatencySensitivity:    &types.LatencySensitivity{Level: types.LatencySensitivitySensitivityLevelNormal},
		BootOptions:           &types.VirtualMachineBootOptions{BootDelay: 0, EnterBIOSSetup: types.NewBool(false), EfiSecureBootEnabled: nil, BootRetryEnabled: types.NewBool(false), BootRetryDelay: 10000},
		Firmware:              string(types.GuestOsDescriptorFirmwareTypeBios),
		ChangeTrackingEnabled: types.NewBool(d.True("ctkEnabled")), CpuHotAddEnabled: types.NewBool(d.True("vcpu.hotadd")),
		CpuHotRemoveEnabled: types.NewBool(false), MemoryHotAddEnabled: types.NewBool(d.True("mem.hotadd")),
		GuestAutoLockEnabled: types.NewBool(true), MemoryReservationLockedToMax: types.NewBool(false), MaxMksConnections: 40,
		NestedHVEnabled: types.NewBool(false), VPMCEnabled: types.NewBool(false), SwapPlacement: "inherit", NpivTemporaryDisabled: types.NewBool(true), VAssertsEnabled: types.NewBool(false),
	}
	if strings.EqualFold(d.Get("firmware"), "efi") {
		c.Firmware = string(types.GuestOsDescriptorFirmwareTypeEfi)
	}
	if key := d.Get("managedBy.extensionKey"); key != "" {
		c.ManagedBy = &types.ManagedByInfo{ExtensionKey: key, Type: d.Get("managedBy.type")}
	}
	vc.decodeSchedule(c, d)
	for _, k := range d.Keys() {
		if !known.MatchString(k) {
			c.ExtraConfig = append(c.ExtraConfig, &types.OptionValue{Key: k, Value: d.Get(k)})
		}
	}
	return c, g, nil
}

func toolsConfig(g guest, sync bool) *types.ToolsConfigInfo {
	t := &types.ToolsConfigInfo{
		AfterPowerOn: types.NewBool(true), AfterResume: types.NewBool(true), BeforeGuestStandby: types.NewBool(true), BeforeGuestShutdown: types.NewBool(true),
		SyncTimeWithHost: types.NewBool(sync), ToolsUpgradePolicy: "manual",
	}
	if g.installed() {
		v, _ := strconv.Atoi(toolsVersion)
		t.ToolsVersion = int32(v)
		t.ToolsInstallType = string(types.VirtualMachineToolsInstallTypeGuestToolsTypeMSI)
	}
	return t
}
