package lab

import (
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/vmx"
)

// fileMove moves files of a VM between volumes. As vSphere does, it names the new directory and the new files after the VM, with
// "_1" and so on where a name is taken. Until commit the old files are the VM.
type fileMove struct {
	m       *machine
	vc      *VC // and datacenter after the move, whose names the configuration gets
	dc      *simulator.Datacenter
	config  *types.VirtualMachineConfigInfo
	layers  map[int32][]layer
	home    string           // volume of the .vmx after the move
	targets map[int32]string // volume of each disk after the move

	at    place           // of the .vmx after the move
	moves []*diskMove     // disks that move, in the order of their keys
	dirs  []place         // directories that were made
	old   []place         // files that go when all is done
	disks map[place]place // old to new, for every layer that moves
	used  map[string]bool // volumes whose free space changes
	taken map[place]bool  // names given out
}

// any reports whether a move of files is planned.
func (f *fileMove) any() bool {
	for key, layers := range f.layers {
		if layers[0].at.uuid != f.targets[key] {
			return true
		}
	}
	return f.home != f.m.place().uuid
}

func (f *fileMove) empty() bool { return len(f.moves) == 0 && f.home == f.m.place().uuid }

// begin checks locks and space, makes the new directories and reserves the space of the new disks.
func (f *fileMove) begin() types.BaseMethodFault {
	l := f.m.vc.lab
	from := f.m.place()
	f.at, f.disks, f.used, f.taken = from, map[place]place{}, map[string]bool{}, map[place]bool{}
	for _, layers := range f.layers {
		for _, y := range own(layers) {
			if l.locks.others(y.at, f.m.owner()) {
				return locked(y.at)
			}
		}
	}
	if l.locks.others(from, f.m.owner()) {
		return locked(from)
	}
	if fault := f.space(); fault != nil {
		return fault
	}
	dirs := map[string]place{} // by volume
	if f.home != from.uuid {
		dir, fault := f.newDir(f.home)
		if fault != nil {
			return fault
		}
		dirs[f.home] = dir
		f.at = place{f.home, dir.path + "/" + fileName(f.config.Name) + path.Ext(from.path)}
		f.used[from.uuid], f.used[f.home] = true, true
	} else {
		dirs[f.home] = place{f.home, from.dir()}
	}
	for _, key := range slices.Sorted(maps.Keys(f.layers)) {
		layers, to := f.layers[key], f.targets[key]
		if layers[0].at.uuid == to {
			continue
		}
		if _, ok := dirs[to]; !ok {
			dir, fault := f.newDir(to)
			if fault != nil {
				return fault
			}
			dirs[to] = dir
		}
		if fault := f.newDisk(key, layers, dirs[to]); fault != nil {
			return fault
		}
	}
	for uuid := range f.used {
		l.refreshSpace(uuid)
	}
	return nil
}

// space refuses a move to a volume that has too little left.
func (f *fileMove) space() types.BaseMethodFault {
	need := map[string]int64{}
	for key, layers := range f.layers {
		if to := f.targets[key]; layers[0].at.uuid != to {
			for _, y := range whole(layers) {
				need[to] += y.allocated()
			}
		}
	}
	for uuid, n := range need {
		if v := f.vc.lookup(f.dc, uuid); v != nil && v.free < n {
			return because(&types.NoDiskSpace{FileFault: types.FileFault{File: f.config.Name}, Datastore: v.name}, "%d GiB are needed, %d GiB are free.", n/gib, v.free/gib)
		}
	}
	return nil
}

// newDir makes a directory named after the VM on a volume.
func (f *fileMove) newDir(uuid string) (place, types.BaseMethodFault) {
	base := fileName(f.config.Name)
	for i := range 1000 {
		name := base
		if i > 0 {
			name += "_" + strconv.Itoa(i)
		}
		p := place{uuid, name}
		switch err := os.Mkdir(f.m.vc.lab.on(p), 0o700); {
		case err == nil:
			f.dirs = append(f.dirs, p)
			return p, nil
		case !os.IsExist(err):
			return p, because(&types.CannotAccessFile{FileFault: types.FileFault{File: name}}, "%v.", cause(err))
		}
	}
	return place{}, &types.FileAlreadyExists{FileFault: types.FileFault{File: base}}
}

// fileName is a VM's name as vSphere uses it for files: an escape such as "%2f" stays, a slash cannot occur.
func fileName(name string) string { return strings.ReplaceAll(name, "/", "%2f") }

// newDisk makes the files of a disk in a directory, the base first, each layer pointing to its new parent.
func (f *fileMove) newDisk(key int32, layers []layer, dir place) types.BaseMethodFault {
	l := f.m.vc.lab
	layers = whole(layers)
	free := func(name string) bool {
		p := place{dir.uuid, path.Join(dir.path, name)}
		return !f.taken[p] && l.size(p) < 0
	}
	name := numbered(fileName(f.config.Name)+".vmdk", func(n string) bool { return !free(n) })
	move := &diskMove{key: key, from: layers[0].at.uuid, to: dir.uuid, layers: make([]layer, len(layers))}
	f.used[move.from], f.used[move.to] = true, true
	for i := len(layers) - 1; i >= 0; i-- {
		old := layers[i]
		n := name
		if k := len(layers) - 1 - i; k > 0 {
			n = fmt.Sprintf("%s-%06d.vmdk", strings.TrimSuffix(name, ".vmdk"), k)
		}
		at := place{dir.uuid, path.Join(dir.path, n)}
		d := *old.desc
		d.DDB = vmx.New()
		for _, k := range old.desc.DDB.Keys() {
			d.DDB.Set(k, old.desc.DDB.Get(k))
		}
		base := strings.TrimSuffix(n, ".vmdk")
		d.ExtentFile = base + "-flat.vmdk"
		if d.Delta() {
			d.ExtentFile = base + "-delta.vmdk"
			d.ParentFile = at.relative(move.layers[i+1].at)
		}
		move.layers[i] = layer{at, &d}
		f.taken[at] = true
		f.disks[old.at] = at
		move.bytes += old.used()
		f.old = append(f.old, old.at, old.extent())
		if err := l.writeLayer(move.layers[i]); err != nil {
			return because(&types.CannotAccessFile{FileFault: types.FileFault{File: n}}, "%v.", cause(err))
		}
	}
	f.moves = append(f.moves, move)
	return nil
}

// commit makes the new files the VM: it moves what else lies in the old directory and points the configuration to the new disks.
func (f *fileMove) commit() types.BaseMethodFault {
	if f.empty() {
		return nil
	}
	m, l := f.m, f.m.vc.lab
	from := m.place()
	list := slices.Clone(f.config.Hardware.Device)
	for _, x := range f.moves {
		for i, d := range list {
			if d.GetVirtualDevice().Key == x.key {
				b, _ := d.GetVirtualDevice().Backing.(*types.VirtualDiskFlatVer2BackingInfo)
				n := f.vc.diskDevice(f.dc, x.layers, b.DiskMode)
				v := clone(d).(*types.VirtualDisk)
				v.Backing = n.Backing
				setSharing(v, sharingOf(d.(*types.VirtualDisk)))
				list[i] = v
			}
		}
	}
	f.config.Hardware.Device = list
	snapshots := m.snapshots()
	for i := range snapshots.list {
		for node, file := range snapshots.list[i].disks {
			old := from.absolute(file)
			if to, ok := f.disks[old]; ok {
				old = to
			}
			snapshots.list[i].disks[node] = f.at.relative(old)
		}
	}
	if f.at != from {
		f.rest(from)
		b := f.vc.fileBacking(f.dc, f.at)
		dir := b.FileName[:strings.LastIndex(b.FileName, "/")+1]
		f.config.Files = types.VirtualMachineFileInfo{VmPathName: b.FileName, SnapshotDirectory: dir, SuspendDirectory: dir, LogDirectory: dir}
		if err := os.Rename(l.on(from), l.on(f.at)); err != nil {
			if fault := l.writeFile(f.at, nil); fault != nil { // replaced by the configuration at once
				return fault
			}
		}
		f.old = append(f.old, from)
		m.moved(f.at)
	}
	if len(snapshots.list) > 0 {
		return l.writeFile(snapshotFile(f.at), snapshots.bytes(f.at))
	}
	return nil
}

// rest moves what else belongs to the VM: its other files, named after it.
func (f *fileMove) rest(from place) {
	l := f.m.vc.lab
	base := strings.TrimSuffix(path.Base(from.path), path.Ext(from.path))
	name := fileName(f.config.Name)
	entries, _ := os.ReadDir(l.on(place{from.uuid, from.dir()}))
	for _, e := range entries {
		n := e.Name()
		if e.IsDir() || strings.HasSuffix(n, ".vmdk") || path.Join(from.dir(), n) == from.path {
			continue
		}
		to := n
		if strings.HasPrefix(n, base) {
			to = name + strings.TrimPrefix(n, base)
		}
		_ = os.Rename(l.on(from.absolute(n)), l.on(f.at.absolute(to)))
	}
}

// clean removes the old files, and the old directories if nothing else is in them.
func (f *fileMove) clean() {
	l := f.m.vc.lab
	dirs := map[place]bool{}
	for _, p := range f.old {
		_ = os.Remove(l.on(p))
		dirs[place{p.uuid, p.dir()}] = true
	}
	for d := range dirs {
		l.removeEmpty(d)
	}
	for uuid := range f.used {
		l.refreshSpace(uuid)
	}
}

// undo removes what was made for a move that did not take place.
func (f *fileMove) undo() {
	l := f.m.vc.lab
	for _, x := range f.moves {
		for _, y := range x.layers {
			if y.desc != nil {
				_ = os.Remove(l.on(y.extent()))
				_ = os.Remove(l.on(y.at))
			}
		}
	}
	for _, d := range f.dirs {
		_ = os.Remove(l.on(d))
	}
	for uuid := range f.used {
		l.refreshSpace(uuid)
	}
}
