package lab

import (
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/vmx"
)

// snapshot is an entry of a .vmsd file, the list of a VM's snapshots.
type snapshot struct {
	uid, parent       int // parent 0: none
	name, description string
	created           time.Time
	disks             map[string]string // node ("scsi0:0") → file that was frozen
}

type snapshotList struct {
	last, current int
	list          []snapshot
}

func (l *snapshotList) find(uid int) *snapshot {
	for i := range l.list {
		if l.list[i].uid == uid {
			return &l.list[i]
		}
	}
	return nil
}

// snapshotFile is the .vmsd of a VM.
func snapshotFile(at place) place {
	return place{at.uuid, strings.TrimSuffix(at.path, path.Ext(at.path)) + ".vmsd"}
}

// bytes writes the list in VMware's form. Times are microseconds since 1970 in two halves.
func (l *snapshotList) bytes(at place) []byte {
	d := vmx.New()
	d.Set(".encoding", "UTF-8")
	if l.last > 0 {
		d.Set("snapshot.lastUID", strconv.Itoa(l.last))
	}
	if l.current > 0 {
		d.Set("snapshot.current", strconv.Itoa(l.current))
	}
	base := strings.TrimSuffix(path.Base(at.path), path.Ext(at.path))
	for i, s := range l.list {
		set := func(k, v string) { d.Setf(v, "snapshot%d.%s", i, k) }
		set("uid", strconv.Itoa(s.uid))
		set("filename", fmt.Sprintf("%s-Snapshot%d.vmsn", base, s.uid))
		if s.parent > 0 {
			set("parent", strconv.Itoa(s.parent))
		}
		set("displayName", s.name)
		set("description", s.description)
		set("type", "1")
		t := s.created.UnixMicro()
		set("createTimeHigh", strconv.Itoa(int(t>>32)))
		set("createTimeLow", strconv.Itoa(int(int32(t))))
		set("numDisks", strconv.Itoa(len(s.disks)))
		for n, node := range slices.Sorted(maps.Keys(s.disks)) {
			set(fmt.Sprintf("disk%d.fileName", n), s.disks[node])
			set(fmt.Sprintf("disk%d.node", n), node)
		}
	}
	d.Set("snapshot.numSnapshots", strconv.Itoa(len(l.list)))
	return d.Bytes()
}

func parseSnapshots(text []byte) (*snapshotList, error) {
	d, err := vmx.Parse(text)
	if err != nil {
		return nil, err
	}
	l := &snapshotList{last: int(d.Int("snapshot.lastUID", 0)), current: int(d.Int("snapshot.current", 0))}
	for i := range int(d.Int("snapshot.numSnapshots", 0)) {
		get := func(k string) string { return d.Get(fmt.Sprintf("snapshot%d.%s", i, k)) }
		number := func(k string) int64 { n, _ := strconv.ParseInt(get(k), 10, 64); return n }
		s := snapshot{
			uid: int(number("uid")), parent: int(number("parent")), name: get("displayName"), description: get("description"),
			created: time.UnixMicro(number("createTimeHigh")<<32 | number("createTimeLow")&0xffffffff), disks: map[string]string{},
		}
		for n := range int(number("numDisks")) {
			s.disks[get(fmt.Sprintf("disk%d.node", n))] = get(fmt.Sprintf("disk%d.fileName", n))
		}
		l.list = append(l.list, s)
	}
	return l, nil
}

// snapshots reads the VM's list; a missing or broken file is an empty list, as at ESXi.
func (m *machine) snapshots() *snapshotList { return m.vc.lab.snapshotsAt(m.place()) }

func (l *Lab) snapshotsAt(at place) *snapshotList {
	text, err := os.ReadFile(l.on(snapshotFile(at)))
	if err != nil {
		return &snapshotList{}
	}
	list, err := parseSnapshots(text)
	if err != nil {
		return &snapshotList{}
	}
	return list
}

// loadSnapshots makes managed objects for the snapshots in the VM's files, in place of those that it had.
func (m *machine) loadSnapshots() {
	l := m.snapshots()
	var old []types.ManagedObjectReference
	kept := map[int]types.ManagedObjectReference{}
	m.read(func(vm *simulator.VirtualMachine) {
		each(vm.Snapshot, func(t types.VirtualMachineSnapshotTree) {
			old = append(old, t.Snapshot)
			kept[int(t.Id)] = t.Snapshot
		})
	})
	tree := m.tree(l, 0, kept)
	present := map[types.ManagedObjectReference]bool{}
	info := &types.VirtualMachineSnapshotInfo{RootSnapshotList: tree}
	var roots []types.ManagedObjectReference
	for _, t := range tree {
		roots = append(roots, t.Snapshot)
	}
	each(info, func(t types.VirtualMachineSnapshotTree) {
		present[t.Snapshot] = true
		if int(t.Id) == l.current {
			s := t.Snapshot
			info.CurrentSnapshot = &s
		}
	})
	for _, ref := range old {
		if !present[ref] {
			m.vc.Map().Remove(m.vc.newCtx(), ref)
		}
	}
	if len(tree) == 0 {
		info = nil
	}
	m.edit(func(vm *simulator.VirtualMachine) { vm.Snapshot, vm.RootSnapshot = info, roots })
}

// tree builds the snapshots below a parent; one that exists already keeps its managed object.
func (m *machine) tree(l *snapshotList, parent int, kept map[int]types.ManagedObjectReference) []types.VirtualMachineSnapshotTree {
	var out []types.VirtualMachineSnapshotTree
	for _, s := range l.list {
		if s.parent != parent {
			continue
		}
		ref, ok := kept[s.uid]
		if !ok {
			o := &simulator.VirtualMachineSnapshot{}
			o.Vm = m.self
			o.Config = *m.config()
			ref = m.vc.Map().Put(o).Reference()
		}
		t := types.VirtualMachineSnapshotTree{
			Snapshot: ref, Vm: m.self, Name: s.name, Description: s.description, Id: int32(s.uid), CreateTime: s.created, State: off, Quiesced: false,
			ReplaySupported: types.NewBool(false), ChildSnapshotList: m.tree(l, s.uid, kept),
		}
		out = append(out, t)
		if o, ok := m.vc.Map().Get(ref).(*simulator.VirtualMachineSnapshot); ok {
			var children []types.ManagedObjectReference
			for _, c := range t.ChildSnapshotList {
				children = append(children, c.Snapshot)
			}
			m.vc.newCtx().WithLock(o, func() { o.ChildSnapshot = children })
		}
	}
	return out
}

func each(info *types.VirtualMachineSnapshotInfo, f func(types.VirtualMachineSnapshotTree)) {
	if info == nil {
		return
	}
	var walk func([]types.VirtualMachineSnapshotTree)
	walk = func(list []types.VirtualMachineSnapshotTree) {
		for _, t := range list {
			f(t)
			walk(t.ChildSnapshotList)
		}
	}
	walk(info.RootSnapshotList)
}

func snapshotRefs(info *types.VirtualMachineSnapshotInfo) (out []types.ManagedObjectReference) {
	each(info, func(t types.VirtualMachineSnapshotTree) { out = append(out, t.Snapshot) })
	return out
}
