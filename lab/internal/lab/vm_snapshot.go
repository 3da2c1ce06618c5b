package lab

import (
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// snapshotObject is VirtualMachineSnapshot.
type snapshotObject struct{ shadow }

// CreateSnapshotTask freezes the disks: what is written from now on goes to a delta over each. Independent disks take no part.
func (o *vmObject) CreateSnapshotTask(req *types.CreateSnapshot_Task) soap.HasFault {
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		return &methods.CreateSnapshot_TaskBody{Fault_: gone}
	}
	ref := m.run("VirtualMachine.createSnapshot", func(j *job) (types.AnyType, types.BaseMethodFault) {
		switch {
		case m.template():
			return nil, because(new(types.NotSupported), "A template cannot have snapshots.")
		case req.Name == "":
			return nil, &types.InvalidName{Name: req.Name}
		case req.Quiesce && m.power() == on && m.guestReady() != nil:
			return nil, new(types.ToolsUnavailable)
		}
		if f := m.mapsRawDevice("take a snapshot of"); f != nil {
			return nil, f
		}
		if f := m.freezable(false, req.Memory); f != nil {
			return nil, f
		}
		if f := j.sleep(m.vc.lab.Scenario.Durations.Other); f != nil {
			return nil, f
		}
		if f := j.commit(); f != nil {
			return nil, f
		}
		if f := m.freeze(req.Name, req.Description, time.Now()); f != nil {
			return nil, f
		}
		var current types.ManagedObjectReference
		m.read(func(vm *simulator.VirtualMachine) { current = *vm.Snapshot.CurrentSnapshot })
		return current, nil
	})
	return &methods.CreateSnapshot_TaskBody{Res: &types.CreateSnapshot_TaskResponse{Returnval: ref}}
}

// freeze makes a snapshot.
func (m *machine) freeze(name, description string, when time.Time) types.BaseMethodFault {
	l, dc, at := m.vc.lab, m.datacenter(), m.place()
	if l.locks.others(at, m.owner()) {
		return locked(at)
	}
	c := *m.config()
	disks, f := m.vc.disks(dc, &c)
	if f != nil {
		return f
	}
	list := m.snapshots()
	list.last++
	s := snapshot{uid: list.last, parent: list.current, name: name, description: description, created: when, disks: map[string]string{}}
	devices := slices.Clone(c.Hardware.Device)
	for i, d := range devices {
		disk, ok := d.(*types.VirtualDisk)
		if !ok {
			continue
		}
		b, _ := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo)
		if strings.HasPrefix(b.DiskMode, "independent") {
			continue
		}
		layers := disks[disk.Key]
		s.disks[nodeOf(devices, disk)] = at.relative(layers[0].at)
		top := l.delta(l.nextDelta(layers), layers[0])
		if err := l.writeLayer(top); err != nil {
			return because(&types.CannotAccessFile{FileFault: types.FileFault{File: top.at.path}}, "%v.", cause(err))
		}
		n := clone(d).(*types.VirtualDisk)
		n.Backing = m.vc.diskDevice(dc, append([]layer{top}, layers...), b.DiskMode).Backing
		setSharing(n, sharingOf(disk))
		devices[i] = n
	}
	c.Hardware.Device = devices
	list.list = append(list.list, s)
	list.current = s.uid
	return m.resnap(&c, list)
}

// resnap writes a changed list of snapshots and the configuration that goes with it.
func (m *machine) resnap(c *types.VirtualMachineConfigInfo, list *snapshotList) types.BaseMethodFault {
	at := m.place()
	if f := m.vc.lab.writeFile(snapshotFile(at), list.bytes(at)); f != nil {
		return f
	}
	if f := m.replace(c); f != nil {
		return f
	}
	m.loadSnapshots()
	if m.power() == on {
		if files, f := m.files(); f == nil {
			m.vc.lab.locks.pass(m.owner(), m.owner(), files)
		}
	}
	return nil
}

func nodeOf(devices object.VirtualDeviceList, disk *types.VirtualDisk) string {
	c := devices.FindByKey(disk.ControllerKey)
	if c == nil {
		return ""
	}
	return fmt.Sprintf("%s%d:%d", busOf(c), c.(types.BaseVirtualController).GetVirtualController().BusNumber, *disk.UnitNumber)
}

var deltaName = regexp.MustCompile(`-\d{6}$`)

// nextDelta is the place of the next delta of a disk: "name-000001.vmdk" and so on, beside it.
func (l *Lab) nextDelta(layers []layer) place {
	top := layers[0].at
	base := deltaName.ReplaceAllString(strings.TrimSuffix(path.Base(top.path), ".vmdk"), "")
	for i := 1; ; i++ {
		p := top.absolute(fmt.Sprintf("%s-%06d.vmdk", base, i))
		if l.size(p) < 0 {
			return p
		}
	}
}

// RemoveSnapshotTask removes a snapshot, with or without those below it: its delta is written into the disk it stands on.
func (o *snapshotObject) RemoveSnapshotTask(req *types.RemoveSnapshot_Task) soap.HasFault {
	body := new(methods.RemoveSnapshot_TaskBody)
	m, uid := o.vc.snapshotOf(req.This)
	if m == nil {
		body.Fault_ = fault(&types.ManagedObjectNotFound{Obj: req.This})
		return body
	}
	ref := m.run("VirtualMachineSnapshot.remove", func(j *job) (types.AnyType, types.BaseMethodFault) {
		return nil, m.thaw(j, func(l *snapshotList) []int {
			if req.RemoveChildren {
				return append(l.below(uid), uid)
			}
			return []int{uid}
		})
	})
	body.Res = &types.RemoveSnapshot_TaskResponse{Returnval: ref}
	return body
}

// RemoveAllSnapshotsTask removes all snapshots of a VM.
func (o *vmObject) RemoveAllSnapshotsTask(req *types.RemoveAllSnapshots_Task) soap.HasFault {
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		return &methods.RemoveAllSnapshots_TaskBody{Fault_: gone}
	}
	ref := m.run("VirtualMachine.removeAllSnapshots", func(j *job) (types.AnyType, types.BaseMethodFault) {
		return nil, m.thaw(j, func(l *snapshotList) (all []int) {
			for i := len(l.list) - 1; i >= 0; i-- {
				all = append(all, l.list[i].uid)
			}
			return all
		})
	})
	return &methods.RemoveAllSnapshots_TaskBody{Res: &types.RemoveAllSnapshots_TaskResponse{Returnval: ref}}
}

// RenameSnapshot changes the name or the description of a snapshot.
func (o *snapshotObject) RenameSnapshot(req *types.RenameSnapshot) soap.HasFault {
	body := new(methods.RenameSnapshotBody)
	m, uid := o.vc.snapshotOf(req.This)
	if m == nil {
		body.Fault_ = fault(&types.ManagedObjectNotFound{Obj: req.This})
		return body
	}
	f := m.briefly(func() types.BaseMethodFault {
		l := m.snapshots()
		s := l.find(uid)
		if s == nil {
			return &types.ManagedObjectNotFound{Obj: req.This}
		}
		if req.Name != "" {
			s.name = req.Name
		}
		if req.Description != "" {
			s.description = req.Description
		}
		at := m.place()
		if f := m.vc.lab.writeFile(snapshotFile(at), l.bytes(at)); f != nil {
			return f
		}
		m.loadSnapshots()
		return nil
	})
	if f != nil {
		body.Fault_ = fault(f)
		return body
	}
	body.Res = new(types.RenameSnapshotResponse)
	return body
}

// snapshotOf is the VM of a snapshot and the snapshot's number there.
func (vc *VC) snapshotOf(ref types.ManagedObjectReference) (*machine, int) {
	for _, m := range vc.machines.all() {
		uid := 0
		m.read(func(vm *simulator.VirtualMachine) {
			each(vm.Snapshot, func(t types.VirtualMachineSnapshotTree) {
				if t.Snapshot == ref {
					uid = int(t.Id)
				}
			})
		})
		if uid > 0 {
			return m, uid
		}
	}
	return nil, 0
}

// below are the snapshots under one, the deepest first.
func (l *snapshotList) below(uid int) (out []int) {
	for _, s := range l.list {
		if s.parent == uid {
			out = append(append(l.below(s.uid), s.uid), out...)
		}
	}
	return out
}

// thaw removes snapshots. The time it takes is that of writing the deltas.
func (m *machine) thaw(j *job, which func(*snapshotList) []int) types.BaseMethodFault {
	l := m.vc.lab
	if l.locks.others(m.place(), m.owner()) {
		return locked(m.place())
	}
	disks, f := m.vc.disks(m.datacenter(), m.config())
	if f != nil {
		return f
	}
	for _, layers := range disks {
		if f := l.dependent(m, layers); f != nil {
			return f
		}
	}
	if f := j.sleep(l.Scenario.Durations.Other); f != nil {
		return f
	}
	if f := j.commit(); f != nil {
		return f
	}
	for {
		list := m.snapshots()
		uids := which(list)
		uids = slices.DeleteFunc(uids, func(u int) bool { return list.find(u) == nil })
		if len(uids) == 0 {
			return nil
		}
		if f := m.merge(list, uids[0]); f != nil {
			return f
		}
	}
}

// merge removes one snapshot: for each disk the delta that stands on the frozen layer is written into it.
func (m *machine) merge(list *snapshotList, uid int) types.BaseMethodFault {
	l, dc, at := m.vc.lab, m.datacenter(), m.place()
	s := *list.find(uid)
	c := *m.config()
	disks, f := m.vc.disks(dc, &c)
	if f != nil {
		return f
	}
	var gone []place
	devices := slices.Clone(c.Hardware.Device)
	for i, d := range devices {
		disk, ok := d.(*types.VirtualDisk)
		if !ok {
			continue
		}
		layers := disks[disk.Key]
		if s.disks[nodeOf(devices, disk)] == "" {
			continue
		}
		frozen := at.absolute(s.disks[nodeOf(devices, disk)])
		n := slices.IndexFunc(layers, func(y layer) bool { return y.at == frozen })
		if n < 1 { // not part of the snapshot, or nothing stands on it
			continue
		}
		base, delta := layers[n], layers[n-1]
		base.desc.DDB.Set("ddb.lab.used", strconv.FormatInt(min(base.capacity(), base.used()+delta.used()), 10))
		_ = os.Remove(l.on(base.extent()))
		if err := l.writeLayer(base); err != nil {
			return because(&types.CannotAccessFile{FileFault: types.FileFault{File: base.at.path}}, "%v.", cause(err))
		}
		if n > 1 {
			above := layers[n-2]
			above.desc.ParentFile, above.desc.ParentCID = above.at.relative(base.at), base.desc.CID
			if err := l.writeLayer(above); err != nil {
				return because(&types.CannotAccessFile{FileFault: types.FileFault{File: above.at.path}}, "%v.", cause(err))
			}
		}
		gone = append(gone, delta.at, delta.extent())
		for k := range list.list {
			for node, file := range list.list[k].disks {
				if at.absolute(file) == delta.at {
					list.list[k].disks[node] = at.relative(base.at)
				}
			}
		}
		rest, f := l.readDisk(slices.Delete(slices.Clone(layers), n-1, n)[0].at)
		if f != nil {
			return f
		}
		x := clone(d).(*types.VirtualDisk)
		x.Backing = m.vc.diskDevice(dc, rest, disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo).DiskMode).Backing
		devices[i] = x
	}
	c.Hardware.Device = devices
	for k := range list.list {
		if list.list[k].parent == uid {
			list.list[k].parent = s.parent
		}
	}
	if list.current == uid {
		list.current = s.parent
	}
	list.list = slices.DeleteFunc(list.list, func(x snapshot) bool { return x.uid == uid })
	if f := m.resnap(&c, list); f != nil {
		return f
	}
	for _, p := range gone {
		_ = os.Remove(l.on(p))
		l.refreshSpace(p.uuid)
	}
	return nil
}
