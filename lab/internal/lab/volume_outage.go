package lab

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/vim25/types"
)

// pathTimeout is how long ESXi tries again before it gives an I/O up while all paths are down (Misc.APDTimeout).
const pathTimeout = 140 * time.Second

// volumeCalled finds a VMFS volume by its label or its UUID.
func (l *Lab) volumeCalled(name string) (uuid, naa string, capacity int64, err error) {
	var found []string
	for _, s := range l.Fabric.Status() {
		if v := s.Volume; v != nil && (v.Label == name || v.UUID == name) {
			uuid, naa, capacity = v.UUID, s.NAA, v.Capacity
			found = append(found, v.UUID)
		}
	}
	switch len(found) {
	case 0:
		err = fmt.Errorf("there is no VMFS volume %s", name)
	case 1:
	default:
		err = fmt.Errorf("%d volumes are called %s; give the UUID of one: %s", len(found), name, strings.Join(found, ", "))
	}
	return uuid, naa, capacity, err
}

// SetPaths takes all paths to a volume from hosts, or gives them back; no hosts means all.
func (l *Lab) SetPaths(name string, hosts []string, down bool) error {
	_, naa, _, err := l.volumeCalled(name)
	if err != nil {
		return err
	}
	for _, h := range hosts {
		if l.servers[h] == nil {
			return fmt.Errorf("there is no host %s", h)
		}
	}
	for h := range l.servers {
		if len(hosts) == 0 || slices.Contains(hosts, h) {
			if err := l.Fabric.LosePaths(naa, h, down); err != nil {
				return err
			}
		}
	}
	l.storageChanged(hosts...)
	return nil
}

// space is what takes room on volumes beside files.
type space struct {
	mu      sync.Mutex
	tenants map[string]int64     // bytes that others wrote, by volume
	copying map[*relocation]bool // whose files are there in full and written in part
}

func (s *space) begin(r *relocation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.copying == nil {
		s.copying = map[*relocation]bool{}
	}
	s.copying[r] = true
}

func (s *space) end(r *relocation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.copying, r)
}

// unwritten are the bytes of a volume that copies have still to write. s.mu is held.
func (s *space) unwritten(uuid string) (n int64) {
	for r := range s.copying {
		for _, x := range r.files.moves {
			if x.to == uuid {
				n += x.unwritten()
			}
		}
	}
	return n
}

// beside is what others take of a volume that they fill. Its array promises room that it does not have: what a copy has not
// written yet is nobody's, and what the files reserved does not count.
func (l *Lab) beside(uuid string) int64 {
	l.space.mu.Lock()
	defer l.space.mu.Unlock()
	if n := l.space.tenants[uuid]; n > 0 {
		return n - l.space.unwritten(uuid)
	}
	return 0
}

// Fill lets another tenant write to a volume until so many GiB are free, or delete what it wrote. It returns how many are: more
// than the VMs leave cannot be.
func (l *Lab) Fill(name string, freeGiB float64) (float64, error) {
	uuid, _, capacity, err := l.volumeCalled(name)
	if err != nil {
		return 0, err
	}
	if freeGiB < 0 {
		return 0, fmt.Errorf("freeGiB must not be negative")
	}
	l.space.mu.Lock()
	if l.space.tenants == nil {
		l.space.tenants = map[string]int64{}
	}
	l.space.tenants[uuid] = 0
	l.space.mu.Unlock()
	files := l.used(uuid)
	l.space.mu.Lock()
	written := files - l.space.unwritten(uuid)
	l.space.tenants[uuid] = max(0, capacity-written-int64(freeGiB*gib))
	l.space.mu.Unlock()
	l.refreshSpace(uuid)
	return float64(max(0, capacity-l.used(uuid))) / gib, nil
}

// full reports whether others left no room for what was written to a volume.
func (l *Lab) full(uuid string) bool {
	l.space.mu.Lock()
	filled := l.space.tenants[uuid] > 0
	l.space.mu.Unlock()
	if !filled {
		return false
	}
	v, _ := l.Fabric.Volume(uuid)
	return l.used(uuid) > v.Capacity
}

// severed is the volume of a copy to which the host that reads or the host that writes has lost all paths.
func (r *relocation) severed(x *diskMove) string {
	f := r.m.vc.lab.Fabric
	switch {
	case f.Severed(r.m.host().Name, x.from):
		return x.from
	case f.Severed(r.host.Name, x.to):
		return x.to
	}
	return ""
}

// paths lets a copy stand still while all paths are down, until they are back or the hosts give up.
func (r *relocation) paths(j *job, x *diskMove) types.BaseMethodFault {
	const poll = 2 * time.Second
	l := j.vc.lab
	for end := time.Now().Add(l.scale(pathTimeout)); ; {
		uuid := r.severed(x)
		if uuid == "" {
			return nil
		}
		if time.Now().After(end) {
			v, _ := l.Fabric.Volume(uuid)
			return because(&types.InaccessibleDatastore{InvalidDatastore: types.InvalidDatastore{Name: v.Label}}, "All paths were down for %s.", pathTimeout)
		}
		if f := j.sleep(min(poll, pathTimeout/20)); f != nil {
			return f
		}
	}
}

// severed refuses what writes to the VM's directory while its host has lost all paths to it.
func (m *machine) severed() types.BaseMethodFault {
	at, h := m.place(), m.host()
	if h == nil || !m.vc.lab.Fabric.Severed(h.Name, at.uuid) {
		return nil
	}
	return because(&types.CannotAccessFile{FileFault: types.FileFault{File: at.path}}, "All paths from host '%s' are down.", h.Name)
}
