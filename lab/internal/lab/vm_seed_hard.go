package lab

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
	"esxodus/lab/internal/vmx"
)

// What makes the VMs of a scenario hard to move. All that a .vmx can carry is written into it.

// hard writes those keys of a VM's .vmx.
func (s *seed) hard(d *vmx.Dictionary, at place) {
	spec := s.spec
	cd := func(kind, file string) {
		d.Set("ide1:0.present", "TRUE")
		d.Set("ide1:0.deviceType", kind)
		d.Set("ide1:0.fileName", file)
		d.Set("ide1:0.startConnected", "TRUE")
	}
	switch {
	case spec.ISO != "":
		cd("cdrom-image", at.relative(s.image(spec.ISO)))
	case spec.ToolsInstaller:
		cd("cdrom-image", toolsImages+"linux.iso")
	case spec.CDROM == "host":
		cd("atapi-cdrom", "/vmfs/devices/cdrom/mpx.vmhba32:C0:T0:L0")
	case spec.CDROM == "client":
		cd("cdrom-raw", "")
		d.Set("ide1:0.clientDevice", "TRUE")
	}
	if spec.Floppy != "" {
		d.Set("floppy0.present", "TRUE")
		d.Set("floppy0.fileType", "file")
		d.Set("floppy0.fileName", at.relative(s.image(spec.Floppy)))
		d.Set("floppy0.startConnected", "TRUE")
	}
	for i, kind := range spec.Devices {
		s.device(d, i, kind)
	}
	for key, n := range map[string]int64{
		"sched.cpu.min": spec.Reservation.CPU, "sched.mem.minSize": spec.Reservation.Memory * 1024,
		"sched.cpu.max": spec.Limits.CPU, "sched.mem.max": spec.Limits.Memory * 1024,
	} {
		if n > 0 {
			d.Set(key, strconv.FormatInt(n, 10))
		}
	}
	if spec.Reservation.MemoryLocked {
		d.Set("sched.mem.pin", "TRUE")
	}
	for key, set := range map[string][]int{"sched.cpu.affinity": spec.CPUAffinity, "sched.mem.affinity": spec.MemoryAffinity} {
		if len(set) > 0 {
			d.Set(key, strings.ReplaceAll(strings.Trim(fmt.Sprint(set), "[]"), " ", ","))
		}
	}
	for key, v := range map[string]string{"numa.nodeAffinity": spec.NUMAAffinity, "sched.cpu.latencySensitivity": spec.LatencySensitivity} {
		if v != "" {
			d.Set(key, v)
		}
	}
	if spec.CBT {
		d.Set("ctkEnabled", "TRUE")
	}
	if spec.Encrypted {
		d.Set("encryption.keySafe", keySafe(s.key()))
	}
}

func (s *seed) key() *types.CryptoKeyId {
	return &types.CryptoKeyId{KeyId: s.vc.lab.ID.UUID("key", s.spec.Site, s.spec.Name), ProviderId: &types.KeyProviderId{Id: provider(s.spec.Site)}}
}

// device writes a device of one of the scenario's kinds.
func (s *seed) device(d *vmx.Dictionary, i int, kind string) {
	port := func(name, file string) {
		d.Set(name+"0.present", "TRUE")
		d.Set(name+"0.fileType", "device")
		d.Set(name+"0.fileName", file)
	}
	pci := func(pairs ...string) {
		for k := 0; k < len(pairs); k += 2 {
			d.Setf(pairs[k+1], "pciPassthru%d.%s", i, pairs[k])
		}
	}
	switch kind {
	case "serial":
		port(kind, "/dev/char/serial/uart0")
	case "parallel":
		port(kind, "/dev/parport0")
	case "usb":
		d.Set("usb.present", "TRUE")
		d.Set("usb.autoConnect.device0", "path:1/3/0 hostId:"+hostID(s.vc.lab, s.spec.Host))
	case "vtpm":
		d.Set("vtpm.present", "TRUE")
		d.Set("firmware", "efi")
	case "passthrough":
		pci("present", "TRUE", "id", "00000:130:00.0", "deviceId", "0x1528", "vendorId", "-32634", "systemId", hostID(s.vc.lab, s.spec.Host), "deviceName", "Ethernet Controller X540-AT2")
	case "sriov":
		pci("present", "TRUE", "id", "00000:130:16.1", "pfId", "00000:130:00.1", "deviceId", "0", "vendorId", "0", "systemId", "BYPASS",
			"networkName", s.spec.NICs[0].Network, "MACAddressType", "vpx", "MACAddress", s.vc.lab.ID.MAC(s.spec.Site, s.spec.Name, "sriov"))
	case "vgpu":
		pci("present", "TRUE", "virtualDev", "vmiop", "vgpu", "grid_m60-2q")
	}
}

// image is where an image of the scenario lies: "[datastore] dir/file".
func (s *seed) image(name string) place {
	v, file, _ := s.vc.resolve(s.dc, name)
	if v == nil {
		return place{}
	}
	return place{v.uuid, file}
}

// images makes the files of the VM's images, each once.
func (s *seed) images() error {
	for _, name := range []string{s.spec.ISO, s.spec.Floppy} {
		if name == "" {
			continue
		}
		at := s.image(name)
		if at.uuid == "" {
			return fmt.Errorf("the datastore of %s is not mounted", name)
		}
		s.volumes[at.uuid] = true
		if err := os.MkdirAll(path.Dir(s.vc.lab.on(at)), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(s.vc.lab.on(at), make([]byte, 4096), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// linked describes a disk that is a delta over what the newest snapshot of another VM froze of its first disk.
func (s *seed) linked(at place, k scenario.Disk) (layer, error) {
	for _, m := range s.vc.machines.all() {
		if m.name() != k.LinkedTo {
			continue
		}
		for _, x := range m.config().Hardware.Device {
			if _, ok := x.(*types.VirtualDisk); !ok {
				continue
			}
			parent, _ := s.vc.placeOf(m.datacenter(), x)
			layers, f := s.vc.lab.readDisk(parent)
			if f != nil || len(layers) < 2 {
				break
			}
			y := s.vc.lab.delta(at, layers[1])
			y.desc.DDB.Set("ddb.lab.used", strconv.FormatInt(k.Used*gib, 10))
			return y, nil
		}
	}
	return layer{}, fmt.Errorf("%s has no disk to link to", k.LinkedTo)
}

// circumstances are what only a vCenter knows of a VM, and what is left of removed snapshots.
func (s *seed) circumstances(m *machine) error {
	spec := s.spec
	if spec.ConsolidationNeeded {
		before := m.snapshots()
		if f := m.freeze("left by a backup", "", m.vc.lab.start); f != nil {
			return fmt.Errorf("%s", describe(f))
		}
		if f := m.resnap(m.config(), before); f != nil {
			return fmt.Errorf("%s", describe(f))
		}
	}
	if spec.FaultTolerance {
		m.protect()
	}
	if spec.Locked {
		m.edit(func(vm *simulator.VirtualMachine) { vm.DisabledMethod = slices.Clone(backupLock) })
	}
	if spec.Orphan {
		m.edit(func(vm *simulator.VirtualMachine) {
			vm.Runtime.ConnectionState = types.VirtualMachineConnectionStateOrphaned
			vm.Summary.Runtime = vm.Runtime
		})
	}
	if spec.VApp != "" {
		m.enter(s.vc.vApp(m, spec.VApp))
	}
	return nil
}

// seedSuspended makes a VM that was suspended on its host.
func (m *machine) seedSuspended() error {
	if f := m.vc.lab.writeFile(m.suspendFile(), []byte(m.vc.evcOffered(m.host()))); f != nil {
		return fmt.Errorf("%s", describe(f))
	}
	m.wake()
	if f := m.save(); f != nil {
		return fmt.Errorf("%s", describe(f))
	}
	return nil
}

// hostID stands for a host in the devices that are its own.
func hostID(l *Lab, host string) string { return l.ID.UUID("host", host) }
