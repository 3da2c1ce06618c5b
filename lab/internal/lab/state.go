package lab

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/fabric"
	"esxodus/lab/internal/fos"
)

// State is a dump of what the lab knows, for tests.
type State struct {
	VCenters map[string]VCenterState `json:"vcenters"`
	LUNs     []fabric.Status         `json:"luns"`
	Fabrics  map[string]fos.State    `json:"fabrics"`
	// Unregistered are the .vmx and .vmtx files on the volumes that no vCenter has registered.
	Unregistered []string `json:"unregistered"`
}

// VCenterState is the inventory of one vCenter.
type VCenterState struct {
	Hosts      []HostState        `json:"hosts"`
	Datastores []DatastoreState   `json:"datastores"`
	Clusters   []ClusterState     `json:"clusters"`
	VMs        map[string]VMState `json:"vms"` // by name; a second one of that name is "name#2"
	Tasks      []TaskState        `json:"tasks"`
}

// HostState is a host in the inventory.
type HostState struct {
	Name        string `json:"name"`
	Cluster     string `json:"cluster"`
	Version     string `json:"version"`
	Build       string `json:"build"`
	Connection  string `json:"connection"`
	Maintenance bool   `json:"maintenance"`
	VMs         int    `json:"vms"`
}

// DatastoreState is a datastore of the inventory.
type DatastoreState struct {
	Name       string   `json:"name"`
	Datacenter string   `json:"datacenter"`
	UUID       string   `json:"uuid"`
	Capacity   int64    `json:"capacity"`
	Free       int64    `json:"free"`
	Hosts      []string `json:"hosts"` // that have it mounted and can use it
	Pod        string   `json:"pod"`   // the datastore cluster that it is in
	SIOC       bool     `json:"sioc"`
}

// VMState is a virtual machine of the inventory.
type VMState struct {
	Site             string            `json:"site"`
	Name             string            `json:"name"`
	MoRef            string            `json:"moref"`
	InstanceUUID     string            `json:"instanceUuid"`
	BIOSUUID         string            `json:"biosUuid"`
	Host             string            `json:"host"`
	Folder           string            `json:"folder"` // path below the datacenter's VM folder
	Pool             string            `json:"pool"`   // path below the cluster's root pool
	Power            string            `json:"power"`
	Template         bool              `json:"template"`
	Tools            string            `json:"tools"` // guest.toolsRunningStatus
	Question         string            `json:"question"`
	Guest            string            `json:"guest"`
	Hardware         string            `json:"hardware"`
	CPUs             int32             `json:"cpus"`
	MemoryMB         int32             `json:"memoryMB"`
	VMX              string            `json:"vmx"`
	Disks            []DiskState       `json:"disks"`
	NICs             []NICState        `json:"nics"`
	MACs             []string          `json:"macs"`
	Notes            string            `json:"notes"`
	CustomAttributes map[string]string `json:"customAttributes"`
	ExtraConfig      map[string]string `json:"extraConfig"`
	Snapshots        []string          `json:"snapshots"`
	Busy             bool              `json:"busy"` // a task has it
	MetadataState                      // see state_metadata.go
	Clock            ClockState        `json:"clock"`
	HardState
}

// DiskState is a disk of a VM.
type DiskState struct {
	Path string `json:"path"`
	Size int64  `json:"size"` // bytes
	Mode string `json:"mode"`
	// Sharing is "sharingMultiWriter" of a disk that several VMs may write; RDM "physicalMode" or "virtualMode" of a raw device
	// mapping; Linked is true for a disk that stands on another VM's.
	Sharing string `json:"sharing"`
	RDM     string `json:"rdm"`
	Linked  bool   `json:"linked"`
}

// NICState is a NIC of a VM.
type NICState struct {
	MAC       string `json:"mac"`
	Network   string `json:"network"`
	Connected bool   `json:"connected"`
	Static    bool   `json:"static"` // the address was given by hand
}

// ClockState is how long the VM's guest was away since the lab started, in seconds of the lab and of the real site (scaled), and
// how often it was powered on.
type ClockState struct {
	DownSeconds       float64 `json:"downSeconds"` // not serving: from the shutdown it obeyed, or power-off, until booted
	DownSecondsScaled float64 `json:"downSecondsScaled"`
	OffSeconds        float64 `json:"offSeconds"` // powered off
	OffSecondsScaled  float64 `json:"offSecondsScaled"`
	PowerCycles       int     `json:"powerCycles"`
}

// TaskState is a task that runs.
type TaskState struct {
	Key      string `json:"key"`
	Name     string `json:"name"`
	Entity   string `json:"entity"`
	Progress int32  `json:"progress"`
}

// State returns the present state.
func (l *Lab) State() State {
	s := State{VCenters: map[string]VCenterState{}, LUNs: l.Fabric.Status(), Fabrics: map[string]fos.State{}, Unregistered: []string{}}
	for i, spec := range l.Scenario.Fabric.Switches {
		s.Fabrics[spec.Name] = l.Switches[i].State()
	}
	registered := map[place]bool{}
	for _, vc := range l.VCenters {
		s.VCenters[vc.Spec.Name] = vc.state()
		for _, m := range vc.machines.all() {
			registered[m.place()] = true
		}
	}
	unregistered := func(uuid, name string) {
		for _, p := range l.configFiles(uuid) {
			if !registered[p] {
				s.Unregistered = append(s.Unregistered, "["+name+"] "+p.path)
			}
		}
	}
	for _, lun := range s.LUNs {
		if lun.Volume != nil {
			unregistered(lun.Volume.UUID, lun.Volume.Label)
		}
	}
	for _, e := range l.Scenario.NFS {
		unregistered(shareUUID(e.Servers, e.Path), e.Name)
	}
	return s
}

func (vc *VC) state() VCenterState {
	s := VCenterState{Hosts: []HostState{}, Datastores: []DatastoreState{}, VMs: map[string]VMState{}, Tasks: []TaskState{}}
	s.Clusters = vc.clusterStates()
	for _, h := range all[*simulator.HostSystem](vc, "HostSystem") {
		s.Hosts = append(s.Hosts, vc.dumpHost(h))
	}
	for _, ds := range all[*simulator.Datastore](vc, "Datastore") {
		if v := vc.volumeOf(ds.Self); v != nil {
			s.Datastores = append(s.Datastores, vc.datastoreState(ds, v))
		}
	}
	list := vc.machines.all()
	slices.SortFunc(list, func(a, b *machine) int { return byReference(a.self, b.self) })
	for _, m := range list {
		x, ok := vc.vmState(m)
		if !ok {
			continue
		}
		key := x.Name
		for n := 2; s.VMs[key].Name != ""; n++ {
			key = fmt.Sprintf("%s#%d", x.Name, n)
		}
		s.VMs[key] = x
	}
	vc.tasks.mu.Lock()
	var running []*job
	for _, j := range vc.tasks.running {
		running = append(running, j)
	}
	vc.tasks.mu.Unlock()
	slices.SortFunc(running, func(a, b *job) int { return byReference(a.Self, b.Self) })
	for _, j := range running {
		vc.newCtx().WithLock(j.Task, func() {
			s.Tasks = append(s.Tasks, TaskState{j.Info.Key, j.Info.Name, j.Info.EntityName, j.Info.Progress})
		})
	}
	return s
}

func (vc *VC) dumpHost(h *simulator.HostSystem) HostState {
	s := HostState{Cluster: vc.parentName(h)}
	vc.newCtx().WithLock(h, func() {
		s.Name, s.Connection, s.Maintenance, s.VMs = h.Name, string(h.Runtime.ConnectionState), h.Runtime.InMaintenanceMode, len(h.Vm)
		if p := h.Summary.Config.Product; p != nil {
			s.Version, s.Build = p.Version, p.Build
		}
	})
	return s
}

func (vc *VC) parentName(e mo.Entity) string {
	var ref *types.ManagedObjectReference
	vc.newCtx().WithLock(e, func() { ref = e.Entity().Parent })
	if p, ok := vc.Map().Get(deref(ref)).(mo.Entity); ok {
		return vc.entityName(p)
	}
	return ""
}

func (vc *VC) datastoreState(ds *simulator.Datastore, v *volume) DatastoreState {
	s := DatastoreState{Name: v.name, UUID: v.uuid, Free: v.free, Hosts: []string{}}
	vc.newCtx().WithLock(ds, func() { s.Capacity = ds.Summary.Capacity })
	s.SIOC = vc.usesStorageIOControl(ds.Self)
	if p, ok := vc.parent(ds).(*simulator.StoragePod); ok {
		s.Pod = vc.nameOf(p)
	}
	if dc := vc.datacenterOf(ds.Self); dc != nil {
		s.Datacenter = vc.entityName(dc)
	}
	for ref := range v.hosts {
		if h, ok := vc.Map().Get(ref).(mo.Entity); ok {
			s.Hosts = append(s.Hosts, vc.entityName(h))
		}
	}
	slices.Sort(s.Hosts)
	return s
}

func (vc *VC) vmState(m *machine) (VMState, bool) {
	vm := m.vm()
	if vm == nil {
		return VMState{}, false
	}
	s := VMState{Site: vc.Spec.Name, MoRef: m.self.Value, Disks: []DiskState{}, NICs: []NICState{}, MACs: []string{}, CustomAttributes: map[string]string{}, ExtraConfig: map[string]string{}, Snapshots: []string{}}
	var c *types.VirtualMachineConfigInfo
	var host, pool, folder types.ManagedObjectReference
	var fields []types.BaseCustomFieldValue
	m.read(func(vm *simulator.VirtualMachine) {
		c, fields = vm.Config, vm.CustomValue
		host, pool, folder = deref(vm.Runtime.Host), deref(vm.ResourcePool), deref(vm.Parent)
		s.Power, s.Tools = string(vm.Runtime.PowerState), vm.Guest.ToolsRunningStatus
		if q := vm.Runtime.Question; q != nil {
			s.Question = q.Message[0].Id
		}
		each(vm.Snapshot, func(t types.VirtualMachineSnapshotTree) { s.Snapshots = append(s.Snapshots, t.Name) })
	})
	s.Name, s.InstanceUUID, s.BIOSUUID, s.Template, s.Notes = c.Name, c.InstanceUuid, c.Uuid, c.Template, c.Annotation
	s.Guest, s.Hardware, s.CPUs, s.MemoryMB, s.VMX = c.GuestId, c.Version, c.Hardware.NumCPU, c.Hardware.MemoryMB, c.Files.VmPathName
	if h, ok := vc.Map().Get(host).(mo.Entity); ok {
		s.Host = vc.entityName(h)
	}
	if a, ok := get[*simulator.VirtualApp](vc, pool); ok {
		pool = deref(a.Parent)
	}
	s.Folder, s.Pool, s.HardState = vc.pathOf(folder), vc.pathOf(pool), vc.hardState(m)
	s.MetadataState = vc.metadataState(m)
	for _, x := range c.Hardware.Device {
		switch d := x.(type) {
		case *types.VirtualDisk:
			switch b := d.Backing.(type) {
			case *types.VirtualDiskFlatVer2BackingInfo:
				layers, _ := vc.lab.readDisk(vc.at(m, d))
				s.Disks = append(s.Disks, DiskState{b.FileName, d.CapacityInBytes, b.DiskMode, b.Sharing, "", len(layers) > 0 && len(own(layers)) < len(layers)})
			case *types.VirtualDiskRawDiskMappingVer1BackingInfo:
				s.Disks = append(s.Disks, DiskState{b.FileName, d.CapacityInBytes, b.DiskMode, b.Sharing, b.CompatibilityMode, false})
			}
		case types.BaseVirtualEthernetCard:
			e := d.GetVirtualEthernetCard()
			s.NICs = append(s.NICs, NICState{e.MacAddress, vc.networkName(e.Backing), e.Connectable != nil && e.Connectable.StartConnected, e.AddressType == string(types.VirtualEthernetCardMacTypeManual)})
			s.MACs = append(s.MACs, e.MacAddress)
		}
	}
	for _, f := range fields {
		v, _ := f.(*types.CustomFieldStringValue)
		s.CustomAttributes[vc.fieldName(v.Key)] = v.Value
	}
	for _, o := range c.ExtraConfig {
		v := o.GetOptionValue()
		s.ExtraConfig[v.Key] = fmt.Sprint(v.Value)
	}
	m.mu.Lock()
	s.Busy = m.task != nil
	id := m.guest.ID
	m.mu.Unlock()
	t := vc.lab.guests.Time(id, time.Now())
	k := vc.lab.Scenario.Timescale
	s.Clock = ClockState{t.Away.Seconds(), t.Away.Seconds() * k, t.Off.Seconds(), t.Off.Seconds() * k, t.Cycles}
	return s, true
}

// pathOf is the path of a folder or pool below its root, which has none.
func (vc *VC) pathOf(ref types.ManagedObjectReference) string {
	var names []string
	for {
		e, ok := vc.Map().Get(ref).(mo.Entity)
		if !ok {
			break
		}
		var parent types.ManagedObjectReference
		vc.newCtx().WithLock(e, func() { parent = deref(e.Entity().Parent) })
		if parent.Type != ref.Type { // the root: "vm" or "Resources"
			break
		}
		names = append([]string{vc.entityName(e)}, names...)
		ref = parent
	}
	return strings.Join(names, "/")
}

func (vc *VC) networkName(b types.BaseVirtualDeviceBackingInfo) string {
	switch x := b.(type) {
	case *types.VirtualEthernetCardNetworkBackingInfo:
		return x.DeviceName
	case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
		for _, pg := range all[*simulator.DistributedVirtualPortgroup](vc, "DistributedVirtualPortgroup") {
			if pg.Key == x.Port.PortgroupKey {
				return vc.entityName(pg)
			}
		}
		return x.Port.PortgroupKey
	}
	return ""
}

// configFiles are the .vmx and .vmtx files in the directories of a volume.
func (l *Lab) configFiles(uuid string) (out []place) {
	for _, d := range l.entries(place{uuid, "."}) {
		for _, f := range l.entries(place{uuid, d}) {
			if ext := path.Ext(f); ext == ".vmx" || ext == ".vmtx" {
				out = append(out, place{uuid, path.Join(d, f)})
			}
		}
	}
	return out
}
