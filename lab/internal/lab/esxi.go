package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/fabric"
	"esxodus/lab/internal/identity"
	"esxodus/lab/internal/scenario"
)

// server is an ESXi server, whether or not a vCenter manages it: what outlives its removal from an inventory.
type server struct {
	spec  *scenario.Host
	cert  identity.Certificate
	index int // among all servers of the lab, from 1: its addresses follow from it

	mu      sync.Mutex
	manager *VC                    // the vCenter that manages it, or nil
	network *types.HostNetworkInfo // as it was left by the last one
	shares  []*share               // NAS volumes that it mounts
	dead    bool                   // it has no power; see host_outage.go
	runs    image                  // what it has booted
	beside  *scenario.ImageProfile // installed beside it, and booted next
	locked  bool                   // an installation is under way
}

// share is a NAS volume as one server mounts it.
type share struct {
	spec types.HostNasVolumeSpec
	name string
	uuid string
}

// claim makes vc the manager of the server. It returns the present one if that is another.
func (s *server) claim(vc *VC, force bool) *VC {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.manager != nil && s.manager != vc && !force {
		return s.manager
	}
	s.manager = vc
	return nil
}

// release ends the management by a vCenter and keeps the network configuration for the next one.
func (s *server) release(network *types.HostNetworkInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.manager, s.network = nil, network
}

// address is the server's management address.
func (s *server) address() string { return fmt.Sprintf("10.99.%d.%d", s.index/250, s.index%250+1) }

// vmfs is the newest version of VMFS that the server opens: 6 since ESXi 6.5 (docs/vsphere-facts.md).
func (s *server) vmfs() int {
	if scenario.Compare(s.image().version, "6.5") < 0 {
		return 5
	}
	return 6
}

// oldestVMFS is the oldest version that the server opens. ESXi 6.7 and later would upgrade a VMFS 3 volume when they mount it, and
// 7.0's documentation does not list it any more: the lab lets them leave it alone.
func (s *server) oldestVMFS() int {
	if scenario.Compare(s.image().version, "6.7") < 0 {
		return 3
	}
	return 5
}

// newFabric builds the arrays, the fabric and the servers of the lab's scenario; volumes are directories below l.root.
//
// Servers that joined a cluster before the lab starts have been rescanned. The others booted with the blank LUNs that they may see
// already presented, and before those with volumes were: they have to rescan to see these.
func newFabric(l *Lab) (*fabric.Fabric, error) {
	f := fabric.New(l.fabricEvent)
	l.Fabric = f
	joined := map[string]bool{}
	l.servers = map[string]*server{}
	for i := range l.Scenario.VCenters {
		v := &l.Scenario.VCenters[i]
		for k := range v.Hosts {
			cert, err := l.ID.Certificate(v.Hosts[k].Name)
			if err != nil {
				return nil, err
			}
			s := &server{spec: &v.Hosts[k], cert: cert, index: len(l.servers) + 1, runs: image{v.Hosts[k].Version, v.Hosts[k].Build}}
			l.servers[s.spec.Name] = s
			f.AddHost(fabric.Host{Name: s.spec.Name, Oldest: s.oldestVMFS(), VMFS: s.vmfs(), HBAs: l.hbas(s.spec.Name)})
		}
		for _, dc := range v.Datacenters {
			for _, c := range dc.Clusters {
				for _, h := range c.Hosts {
					joined[h] = true
				}
			}
		}
	}
	for _, a := range l.Scenario.Arrays {
		if err := l.addArray(&a); err != nil {
			return nil, err
		}
	}
	if err := l.addSwitches(); err != nil {
		return nil, err
	}
	for _, p := range l.Scenario.Fabric.Presentation {
		for _, h := range p.Hosts {
			for _, naa := range l.presented(&p) {
				if err := f.Present(naa, h); err != nil {
					return nil, err
				}
			}
		}
	}
	if err := l.addLocalDisks(); err != nil {
		return nil, err
	}
	if err := errors.Join(l.addExports(), l.addDepots()); err != nil {
		return nil, err
	}
	for h := range l.servers {
		f.Boot(h, func(lun fabric.LUN) bool { return joined[h] || lun.Volume == nil || lun.Array == "" })
		if joined[h] {
			f.RescanVMFS(h)
		}
	}
	return f, nil
}

func (l *Lab) addArray(a *scenario.Array) error {
	var ports []int64
	for _, port := range scenario.ArrayPorts {
		ports = append(ports, wwn(0x50, l.ID.WWN("array port", a.Name, port)))
	}
	l.Fabric.AddArray(a.Name, ports)
	for n, lun := range a.LUNs {
		x := fabric.LUN{NAA: lun.NAA, Array: a.Name, Number: n, Size: lun.Size << 30}
		if lun.VMFS != nil {
			uuid := l.vmfsUUID(lun.NAA)
			x.Volume = &fabric.Volume{UUID: uuid, Label: lun.VMFS.Name, Version: lun.VMFS.Version, Dir: l.newVolumeDir(uuid)}
			if err := os.MkdirAll(x.Volume.Dir, 0o700); err != nil {
				return err
			}
		}
		l.Fabric.AddLUN(x, lun.Unresolved...)
	}
	return nil
}

// presented are the LUNs that a presentation means.
func (l *Lab) presented(p *scenario.Presentation) []string {
	if p.LUNs != nil {
		return p.LUNs
	}
	var out []string
	for _, a := range l.Scenario.Arrays {
		for _, lun := range a.LUNs {
			if a.Name == p.Array {
				out = append(out, lun.NAA)
			}
		}
	}
	return out
}

// wwn puts the kind of a world wide name into its first byte: 10 a port, 20 a node, 50 a port of an array.
func wwn(kind, n int64) int64 { return n&(1<<56-1) | kind<<56 }

// hbas are the two Fibre Channel ports of a server.
func (l *Lab) hbas(host string) []fabric.HBA {
	var out []fabric.HBA
	for i, device := range scenario.HBAs {
		n := l.ID.WWN("hba", host, fmt.Sprint(i))
		out = append(out, fabric.HBA{Device: device, WWPN: wwn(0x10, n), WWNN: wwn(0x20, n)})
	}
	return out
}

// vmfsUUID returns a UUID in VMFS's own form: "5f3a1c2e-7b9d4e10-a1b2-0050568f1234".
func (l *Lab) vmfsUUID(parts ...string) string {
	b := l.ID.Bytes(16, "vmfs", parts...)
	return fmt.Sprintf("5%07x-%x-%x-%x", binary.BigEndian.Uint32(b)>>4, b[4:8], b[8:10], b[10:])
}

// newVolumeDir is the directory of a new volume.
func (l *Lab) newVolumeDir(uuid string) string { return filepath.Join(l.root, "volumes", uuid) }

// fabricEvent records what must never happen to a volume that was there when the lab started.
func (l *Lab) fabricEvent(e fabric.Event) {
	if !e.Original || e.Before == nil {
		return
	}
	l.Violate("old volume "+string(e.Kind), "%s %s volume %s (%s) on %s", e.Host, strings.TrimSpace(string(e.Kind)), e.Before.Label, e.Before.UUID, e.NAA)
}

// Present lets a host see a LUN from its next rescan on, or takes it away.
func (l *Lab) Present(naa, host string, on bool) error {
	set := l.Fabric.Withdraw
	if on {
		set = l.Fabric.Present
	}
	if err := set(naa, host); err != nil {
		return err
	}
	l.storageChanged(host)
	return nil
}

// storageChanged brings the inventory up to date with what a host sees; without a host, all hosts.
func (l *Lab) storageChanged(hosts ...string) {
	for _, vc := range l.VCenters {
		vc.site.mu.Lock()
		for name, h := range vc.site.hosts {
			if len(hosts) == 0 || slices.Contains(hosts, name) {
				vc.syncStorage(h)
			}
		}
		vc.site.mu.Unlock()
	}
}
