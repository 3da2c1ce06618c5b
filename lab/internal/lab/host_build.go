package lab

import (
	"fmt"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/esx"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// cpuModels are processors of each generation, by the highest EVC mode they support.
var cpuModels = map[string]string{
	"intel-merom": "Xeon(R) CPU E5335", "intel-penryn": "Xeon(R) CPU E5450", "intel-nehalem": "Xeon(R) CPU X5570", "intel-westmere": "Xeon(R) CPU X5670",
	"intel-sandybridge": "Xeon(R) CPU E5-2670 0", "intel-ivybridge": "Xeon(R) CPU E5-2650 v2", "intel-haswell": "Xeon(R) CPU E5-2680 v3",
	"intel-broadwell": "Xeon(R) CPU E5-2680 v4", "intel-skylake": "Xeon(R) Gold 6142 CPU", "intel-cascadelake": "Xeon(R) Gold 6242 CPU",
	"intel-icelake": "Xeon(R) Gold 6326 CPU", "intel-sapphirerapids": "Xeon(R) Gold 6426Y",
}

func cpuModel(h *scenario.Host) string {
	vendor := "Intel(R) "
	if strings.HasPrefix(h.CPU, "amd") {
		vendor = "AMD "
	}
	model := cpuModels[h.CPU]
	if model == "" {
		model = strings.TrimPrefix(strings.TrimPrefix(h.CPU, "amd-"), "intel-")
	}
	return fmt.Sprintf("%s%s @ %.2fGHz", vendor, model, float64(h.MHz)/1000)
}

// newHost makes the HostSystem of a server and its parts and puts it into the inventory below parent, whose list of hosts is the
// caller's. The simulator's own AddHost cannot be used: it panics on versions of ESXi that its table lacks, 7.0.3 among them.
// site.mu is held.
func (vc *VC) newHost(s *server, parent mo.Entity, connected bool) *simulator.HostSystem {
	template := esx.HostSystem
	template.ConfigManager = types.HostConfigManager{} // the template's point at objects that do not exist
	template.Summary.Config.Name = s.spec.Name
	h := simulator.NewHostSystem(vc.newCtx(), template)
	vc.Map().NewEntity(h)
	self, up := h.Self, parent.Reference()
	h.Parent, h.Summary.Host, h.Config.Host = &up, &self, self
	h.AlarmActionsEnabled = types.NewBool(true)
	h.DatastoreBrowser = vc.hostBrowser()
	vc.describeHost(h, s)
	h.Runtime.HealthSystemRuntime = nil
	h.Runtime.ConnectionState = types.HostSystemConnectionStateDisconnected
	if connected {
		h.Runtime.ConnectionState = types.HostSystemConnectionStateConnected
	}
	h.Summary.OverallStatus = types.ManagedEntityStatusGreen
	h.Summary.MaxEVCModeKey = vc.highestEVC(s.spec.CPU)
	h.Summary.CurrentEVCModeKey = vc.clusterEVC(parent)
	if options, ok := get[*simulator.OptionManager](vc, *h.ConfigManager.AdvancedOption); ok {
		options.UpdateOptions(&types.UpdateOptions{ChangedValue: []types.BaseOptionValue{
			vc.lab.scratch(s.spec), &types.OptionValue{Key: "Syslog.global.logDir", Value: "[] /scratch/log"},
		}})
	}
	vc.hostParts(h)
	vc.hostNetwork(h, s)
	vc.Map().Put(h)
	vc.site.hosts[s.spec.Name] = h
	return h
}

func (vc *VC) hostBrowser() types.ManagedObjectReference {
	b := &simulator.HostDatastoreBrowser{}
	vc.Map().Put(b)
	return b.Self
}

// describeHost fills in product and hardware.
func (vc *VC) describeHost(h *simulator.HostSystem, s *server) {
	x := s.spec
	id := vc.lab.ID.UUID("host", x.Name)
	product := s.product()
	h.Config.Product = product
	h.Config.DateTimeInfo = &types.HostDateTimeInfo{
		TimeZone:  types.HostDateTimeSystemTimeZone{Key: "UTC", Name: "UTC", Description: "UTC", GmtOffset: 0},
		NtpConfig: &types.HostNtpConfig{Server: x.NTP},
	}
	h.Config.Service = &types.HostServiceInfo{Service: hostServices(len(x.NTP) > 0 && !x.NTPStopped)}
	h.Config.LockdownMode = types.HostLockdownModeLockdownDisabled
	h.Config.AdminDisabled = types.NewBool(false)
	h.Config.Certificate = types.ByteSlice(s.cert.PEM)
	h.Config.FeatureVersion = nil
	h.Summary.Config.Product = pointer(product)
	h.Summary.Config.Port = 443
	h.Summary.Config.SslThumbprint = s.cert.SHA1
	h.Summary.ManagementServerIp = "127.0.0.1"
	cores, pkgs := int16(x.Cores), int16(2)
	if cores < 2 {
		pkgs = 1
	}
	h.Summary.Hardware = &types.HostHardwareSummary{
		Vendor: "Esxodus", Model: "Lab Server", Uuid: id, MemorySize: x.Memory << 30, CpuModel: cpuModel(x), CpuMhz: int32(x.MHz),
		NumCpuPkgs: pkgs, NumCpuCores: cores, NumCpuThreads: 2 * cores, NumNics: pnics, NumHBAs: 3,
	}
	hw := h.Hardware
	hw.SystemInfo = types.HostSystemInfo{Vendor: "Esxodus", Model: "Lab Server", Uuid: id, SerialNumber: fmt.Sprintf("LAB%04d", s.index)}
	hw.CpuInfo = types.HostCpuInfo{NumCpuPackages: pkgs, NumCpuCores: cores, NumCpuThreads: 2 * cores, Hz: int64(x.MHz) * 1e6}
	hw.MemorySize = x.Memory << 30
	hw.NumaInfo, hw.PciDevice = nil, nil
	vendor := "intel"
	if strings.HasPrefix(x.CPU, "amd") {
		vendor = "amd"
	}
	hw.CpuPkg = nil
	for i := range pkgs {
		p := types.HostCpuPackage{Index: i, Vendor: vendor, Hz: hw.CpuInfo.Hz, BusHz: 1e8, Description: h.Summary.Hardware.CpuModel}
		for t := range 2 * cores / pkgs {
			p.ThreadId = append(p.ThreadId, i*(2*cores/pkgs)+t)
		}
		hw.CpuPkg = append(hw.CpuPkg, p)
	}
	boot := time.Now().Add(-72 * time.Hour)
	h.Runtime.BootTime = &boot
	h.Summary.QuickStats = types.HostListSummaryQuickStats{Uptime: int32(time.Since(boot).Seconds())}
	versions := []int32{5, 6}
	if s.vmfs() < 6 {
		versions = []int32{3, 4, 5}
	}
	h.Capability.SupportedVmfsMajorVersion = versions
	h.Capability.VmotionSupported, h.Capability.StorageVMotionSupported, h.Capability.MaintenanceModeSupported = true, true, true
	h.Capability.HostAccessManagerSupported = types.NewBool(true)
}

// apiOf is the API version of an ESXi or vCenter version: "6.0", "6.5", "6.7", "7.0.3.0".
func apiOf(version string) string {
	if scenario.Compare(version, "7.0") < 0 {
		return majorMinor(version)
	}
	return version + ".0"
}

func majorMinor(version string) string {
	p := strings.SplitN(version, ".", 3)
	return strings.Join(p[:min(2, len(p))], ".")
}

func hostServices(ntp bool) []types.HostService {
	var out []types.HostService
	for _, s := range []struct {
		key, label, policy string
		running, required  bool
	}{
		{"DCUI", "Direct Console UI", "on", true, false},
		{"TSM", "ESXi Shell", "off", false, false},
		{"TSM-SSH", "SSH", "off", false, false},
		{"ntpd", "NTP Daemon", map[bool]string{true: "on", false: "off"}[ntp], ntp, false},
		{"vpxa", "VMware vCenter Agent", "on", true, false},
	} {
		out = append(out, types.HostService{Key: s.key, Label: s.label, Policy: s.policy, Running: s.running, Required: s.required, Ruleset: []string{}})
	}
	return out
}

// scratch is the advanced setting of where a host keeps its scratch files: on a volume, or else in its memory.
func (l *Lab) scratch(spec *scenario.Host) *types.OptionValue {
	o := &types.OptionValue{Key: "ScratchConfig.ConfiguredScratchLocation", Value: "/tmp/scratch"}
	for _, lun := range l.Fabric.Status() {
		if lun.Volume != nil && lun.Volume.Label == spec.Scratch {
			o.Value = "/vmfs/volumes/" + lun.Volume.UUID + "/.locker-" + spec.Name
		}
	}
	return o
}

// hostParts adds the managed objects of a host that the simulator lacks, and indexes all of them.
func (vc *VC) hostParts(h *simulator.HostSystem) {
	n := strings.TrimPrefix(h.Self.Value, "host-")
	m := &h.ConfigManager
	part := func(kind, prefix string) types.ManagedObjectReference {
		return types.ManagedObjectReference{Type: kind, Value: prefix + "-" + n}
	}
	access := &hostAccess{vc: vc, host: h}
	access.Self, access.LockdownMode = part("HostAccessManager", "hostAccessManager"), types.HostLockdownModeLockdownDisabled
	clock := &hostDateTime{vc: vc, host: h}
	clock.Self, clock.DateTimeInfo = part("HostDateTimeSystem", "dateTimeSystem"), *h.Config.DateTimeInfo
	services := &hostService{vc: vc, host: h}
	services.Self, services.ServiceInfo = part("HostServiceSystem", "serviceSystem"), *h.Config.Service
	vsan := &mo.HostVsanSystem{Self: part("HostVsanSystem", "vsanSystem"), Config: types.VsanHostConfigInfo{Enabled: types.NewBool(false)}}
	for _, x := range []struct {
		ref **types.ManagedObjectReference
		obj mo.Reference
	}{{&m.HostAccessManager, access}, {&m.DateTimeSystem, clock}, {&m.ServiceSystem, services}, {&m.VsanSystem, vsan}} {
		vc.Map().Put(x.obj)
		*x.ref = pointer(x.obj.Reference())
	}
	for _, ref := range vc.partsOf(h) {
		vc.site.parts[ref] = h
	}
}

// partsOf are the managed objects that belong to a host.
func (vc *VC) partsOf(h *simulator.HostSystem) []types.ManagedObjectReference {
	m := &h.ConfigManager
	var out []types.ManagedObjectReference
	for _, r := range []*types.ManagedObjectReference{
		m.DatastoreSystem, m.NetworkSystem, m.VirtualNicManager, m.AdvancedOption, m.FirewallSystem, m.StorageSystem, m.CertificateManager,
		m.HostAccessManager, m.DateTimeSystem, m.ServiceSystem, m.VsanSystem,
	} {
		if r != nil {
			out = append(out, *r)
		}
	}
	return out
}
