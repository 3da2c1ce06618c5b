package lab

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
	"esxodus/lab/internal/vmx"
)

// seedMachines writes the files of the scenario's VMs and registers them. It goes to the files and the inventory directly: a
// thousand VMs take seconds.
func seedMachines(vc *VC) error {
	touched := map[string]bool{}
	for i := range vc.lab.Scenario.VMs {
		spec := &vc.lab.Scenario.VMs[i]
		if spec.Site != vc.Spec.Name {
			continue
		}
		s := seed{vc: vc, spec: spec}
		if err := s.run(); err != nil {
			return fmt.Errorf("VM %s: %w", spec.Name, err)
		}
		for uuid := range s.volumes {
			touched[uuid] = true
		}
	}
	for uuid := range touched {
		vc.lab.refreshSpace(uuid)
	}
	return nil
}

// seed is the making of one VM.
type seed struct {
	vc      *VC
	spec    *scenario.VM
	dc      *simulator.Datacenter
	volumes map[string]bool
}

func (s *seed) run() error {
	vc, spec := s.vc, s.spec
	dc, ok := vc.find(vc.Model.ServiceContent.RootFolder, spec.Datacenter).(*simulator.Datacenter)
	if !ok {
		return fmt.Errorf("there is no datacenter %s", spec.Datacenter)
	}
	s.dc, s.volumes = dc, map[string]bool{}
	cluster, ok := vc.find(dc.HostFolder, spec.Cluster).(*simulator.ClusterComputeResource)
	if !ok {
		return fmt.Errorf("there is no cluster %s", spec.Cluster)
	}
	host, ok := vc.named(spec.Host, cluster.Host).(*simulator.HostSystem)
	if !ok {
		return fmt.Errorf("there is no host %s", spec.Host)
	}
	folder, ok := vc.walk(dc.VmFolder, spec.Folder).(*simulator.Folder)
	if !ok {
		return fmt.Errorf("there is no folder %s", spec.Folder)
	}
	pool := cluster.ResourcePool
	if p, ok := vc.walk(*pool, spec.Pool).(*simulator.ResourcePool); ok {
		pool = &p.Self
	} else if spec.Pool != "" {
		return fmt.Errorf("there is no pool %s", spec.Pool)
	}
	at, err := s.files()
	if err != nil {
		return err
	}
	d, f := vc.readVMX(at)
	if f != nil {
		return fmt.Errorf("%s", describe(f))
	}
	c, g, f := vc.decode(dc, at, d)
	if f != nil {
		return fmt.Errorf("%s", describe(f))
	}
	c.Template = spec.Template
	if spec.Template {
		pool = nil
	}
	m := vc.adopt(vc.assemble(c, host.Self, pool), folder, at, vc.locationOf(at), g)
	vc.machines.hold(at)
	for i, name := range spec.Snapshots {
		if f := m.freeze(name, "", vc.lab.start.Add(-time.Duration(len(spec.Snapshots)-i)*24*time.Hour)); f != nil {
			return fmt.Errorf("snapshot %s: %s", name, describe(f))
		}
	}
	for name, value := range spec.CustomAttributes {
		vc.setField(m.vm(), vc.fieldKey(name), value)
	}
	if err := s.circumstances(m); err != nil {
		return err
	}
	switch spec.Power {
	case "suspended":
		return m.seedSuspended()
	case "on":
		if err := m.seedRunning(spec.EVC); err != nil {
			return err
		}
		m.seedQuestion(spec.Question)
	}
	return nil
}

// hold marks a .vmx as registered.
func (s *machineSet) hold(at place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.homes == nil {
		s.homes = map[place]bool{}
	}
	s.homes[at] = true
}

// find returns the child of that name, below an entity.
func (vc *VC) find(parent types.ManagedObjectReference, name string) mo.Entity {
	var refs []types.ManagedObjectReference
	switch p := vc.Map().Get(parent).(type) {
	case *simulator.Folder:
		vc.newCtx().WithLock(p, func() { refs = append(refs, p.ChildEntity...) })
	case *simulator.ResourcePool:
		vc.newCtx().WithLock(p, func() { refs = append(refs, p.ResourcePool.ResourcePool...) })
	}
	return vc.named(name, refs)
}

// walk follows a path of names; an empty path is the entity itself.
func (vc *VC) walk(from types.ManagedObjectReference, names string) mo.Entity {
	e, _ := vc.Map().Get(from).(mo.Entity)
	for name := range strings.SplitSeq(names, "/") {
		if name == "" {
			continue
		}
		if e = vc.find(e.Reference(), name); e == nil {
			return nil
		}
	}
	return e
}

// directory makes the VM's directory on a volume, once.
func (s *seed) directory(made map[string]string, label string) (place, error) {
	v := s.vc.volumeNamed(s.dc, label)
	if v == nil {
		return place{}, fmt.Errorf("datastore %s is not mounted", label)
	}
	s.volumes[v.uuid] = true
	if made[v.uuid] == "" {
		name := numbered(fileName(s.spec.Name), func(n string) bool { return s.vc.lab.size(place{v.uuid, n}) >= 0 })
		if err := os.MkdirAll(s.vc.lab.on(place{v.uuid, name}), 0o700); err != nil {
			return place{}, err
		}
		made[v.uuid] = name
	}
	return place{v.uuid, made[v.uuid]}, nil
}

// files writes all files of the VM and returns the place of its .vmx.
func (s *seed) files() (place, error) {
	l, spec := s.vc.lab, s.spec
	made := map[string]string{}
	if err := s.images(); err != nil {
		return place{}, err
	}
	home, err := s.directory(made, spec.Disks[0].Datastore)
	if err != nil {
		return place{}, err
	}
	name, ext := fileName(spec.Name), ".vmx"
	if spec.Template {
		ext = ".vmtx"
	}
	at := place{home.uuid, path.Join(home.path, name+ext)}
	d := s.dictionary(at)
	s.hard(d, at)
	controllers := spec.Controllers()
	for i, k := range spec.Disks {
		dir, err := s.directory(made, k.Datastore)
		if err != nil {
			return place{}, err
		}
		file := numbered(name+".vmdk", func(n string) bool { return l.size(place{dir.uuid, path.Join(dir.path, n)}) >= 0 })
		y := l.baseDisk(place{dir.uuid, path.Join(dir.path, file)}, k.Size*gib, k.Used*gib, k.Thin, "lsilogic")
		if k.RDM != "" {
			y = rawDevice(y, k.RDM)
		}
		if k.LinkedTo != "" {
			if y, err = s.linked(y.at, k); err != nil {
				return place{}, err
			}
		}
		if spec.Encrypted {
			y.desc.DDB.Set(diskKey, keySafe(s.key()))
		}
		if i == 0 {
			newGuest(spec).install(y)
		}
		if err := l.writeLayer(y); err != nil {
			return place{}, err
		}
		c := controllers[i]
		d.Setf("TRUE", "scsi%d.present", c.Bus)
		d.Setf(scsiFor(spec), "scsi%d.virtualDev", c.Bus)
		d.Setf(translate(busSharing, 1, 1, c.Sharing), "scsi%d.sharedBus", c.Bus)
		node := fmt.Sprintf("scsi%d:%d", c.Bus, c.Unit)
		d.Set(node+".present", "TRUE")
		d.Set(node+".deviceType", "scsi-hardDisk")
		d.Set(node+".fileName", at.relative(y.at))
		d.Set(node+".mode", translate(diskModes, 0, 1, k.Mode))
		if k.Sharing != "" {
			d.Set(node+".sharing", "multi-writer")
		}
	}
	for file, text := range map[place][]byte{
		at: d.Bytes(), at.absolute(name + ".nvram"): make([]byte, 8684), at.absolute("vmware.log"): []byte("vmx| Log for " + spec.Name + "\n"),
		snapshotFile(at): (&snapshotList{}).bytes(at),
	} {
		if err := os.WriteFile(l.on(file), text, 0o600); err != nil {
			return place{}, err
		}
	}
	return at, nil
}

// scsiFor is the controller that vSphere proposes for a guest.
func scsiFor(vm *scenario.VM) string {
	switch {
	case strings.HasPrefix(vm.Guest, "winNet"), vm.Hardware < 7:
		return "lsilogic"
	case strings.HasPrefix(vm.Guest, "win"):
		return "lsisas1068"
	}
	return "pvscsi"
}

// dictionary is the .vmx but for the disks.
func (s *seed) dictionary(at place) *vmx.Dictionary {
	l, spec, d := s.vc.lab, s.spec, vmx.New()
	d.Set(".encoding", "UTF-8")
	d.Set("config.version", "8")
	d.Set("virtualHW.version", strconv.Itoa(spec.Hardware))
	d.Set("displayName", spec.Name)
	d.Set("guestOS", guestToVMX(spec.Guest))
	d.Set("memSize", strconv.FormatInt(spec.Memory*1024, 10))
	d.Set("numvcpus", strconv.Itoa(spec.CPUs))
	// vCenter makes BIOS UUIDs that begin with 42 and instance UUIDs that begin with 50.
	d.Set("uuid.bios", vmx.FormatUUID("42"+l.ID.UUID("bios", spec.Site, spec.Name)[2:]))
	if spec.BIOS != "" {
		d.Set("uuid.bios", vmx.FormatUUID(spec.BIOS))
	}
	d.Set("uuid.location", vmx.FormatUUID(s.vc.locationOf(at)))
	d.Set("vc.uuid", vmx.FormatUUID("50"+l.ID.UUID("instance", spec.Site, spec.Name)[2:]))
	if spec.Notes != "" {
		d.Set("annotation", spec.Notes)
	}
	for i, n := range spec.NICs {
		p := fmt.Sprintf("ethernet%d.", i)
		d.Set(p+"present", "TRUE")
		d.Set(p+"virtualDev", n.Type)
		s.connect(d, p, n.Network)
		if n.MAC != "" {
			d.Set(p+"addressType", "static")
			d.Set(p+"address", n.MAC)
		} else {
			d.Set(p+"addressType", "vpx")
			d.Set(p+"generatedAddress", l.ID.MAC(spec.Site, spec.Name, strconv.Itoa(i)))
		}
		d.SetBool(p+"startConnected", *n.Connected)
	}
	d.Set("nvram", fileName(spec.Name)+".nvram")
	d.Set("svga.present", "TRUE")
	if spec.Agent {
		d.Set("managedBy.extensionKey", agentManager)
		d.Set("managedBy.type", "cluster-agent")
	}
	for k, v := range spec.ExtraConfig {
		d.Set(k, v)
	}
	return d
}

// seedRunning makes a VM that has been running for long, with the features of an EVC mode or, without one, of its host.
func (m *machine) seedRunning(mode string) error {
	if f := m.vc.hasDevices(m.config(), m.host()); f != nil {
		return fmt.Errorf("%s", describe(f))
	}
	files, f := m.files()
	if f != nil {
		return fmt.Errorf("%s", describe(f))
	}
	if busy, ok := m.vc.lab.locks.lock(m.owner(), files); !ok {
		return fmt.Errorf("%s is locked", busy)
	}
	evc, shown, since := cmp.Or(mode, m.vc.evcOffered(m.host())), m.vc.inEVC(m.host()), m.vc.lab.start.Add(-30*24*time.Hour)
	g := m.who()
	m.edit(func(vm *simulator.VirtualMachine) {
		vm.Runtime.PowerState, vm.Runtime.BootTime, vm.Runtime.CleanPowerOff = on, &since, nil
		m.runsWith(vm, evc, shown)
		vm.Runtime.MemoryOverhead = overhead(vm.Config)
		m.running(vm, true)
		connect(vm, true)
		m.report(vm, g.Tools == "running")
	})
	m.vc.lab.ledger.PowerOn(m.vc.Spec.Name, m.place().String())
	return nil
}
