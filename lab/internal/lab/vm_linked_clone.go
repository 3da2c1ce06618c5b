package lab

import (
	"maps"
	"slices"
	"strconv"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// Linked clones: a disk whose lower layers are another VM's, and lie in that one's directory. Many may read these; nobody moves or
// merges them meanwhile.

// own are the layers of a disk that lie where its running layer lies; the others are another VM's.
func own(layers []layer) []layer {
	if len(layers) == 0 {
		return nil
	}
	n := slices.IndexFunc(layers, func(y layer) bool { return y.at.uuid != layers[0].at.uuid || y.at.dir() != layers[0].at.dir() })
	if n < 0 {
		return layers
	}
	return layers[:n]
}

// whole makes the layers of a disk independent of other VMs': what it reads from there is counted into its lowest own layer. That
// is how a linked clone becomes full when it moves.
func whole(layers []layer) []layer {
	mine := slices.Clone(own(layers))
	if len(mine) == len(layers) {
		return mine
	}
	base := layers[len(layers)-1]
	last := &mine[len(mine)-1]
	d := *base.desc
	d.DDB = base.desc.DDB.Clone()
	for _, k := range last.desc.DDB.Keys() { // the guest, and what else was written since
		d.DDB.Set(k, last.desc.DDB.Get(k))
	}
	used := last.used()
	for _, y := range layers[len(mine):] {
		used += y.used()
	}
	d.DDB.Set("ddb.lab.used", strconv.FormatInt(min(used, base.capacity()), 10))
	d.CID = last.desc.CID
	d.ExtentFile = last.desc.ExtentFile
	last.desc = &d
	return mine
}

// dependent refuses what would take a layer away from the linked clone that stands on it.
func (l *Lab) dependent(m *machine, layers []layer) types.BaseMethodFault {
	if len(layers) < 2 { // only what is frozen can have clones
		return nil
	}
	taken := map[place]bool{}
	for _, y := range own(layers)[1:] {
		taken[y.at] = true
	}
	for _, vc := range l.VCenters {
		for _, other := range vc.machines.all() {
			c := other.config()
			if other == m || c == nil {
				continue
			}
			disks, _ := vc.disks(other.datacenter(), c)
			for _, key := range slices.Sorted(maps.Keys(disks)) {
				for _, y := range disks[key] {
					if taken[y.at] {
						return because(locked(y.at), "The linked clone '%s' stands on it.", c.Name)
					}
				}
			}
		}
	}
	return nil
}

// unconsolidated reports whether a disk has more own deltas than the VM has snapshots of it.
func (l *snapshotList) unconsolidated(node string, layers []layer) bool {
	deltas, snapshots := 0, 0
	mine := own(layers)
	for i, y := range mine {
		if y.desc.Delta() && (i < len(mine)-1 || len(mine) == len(layers)) {
			deltas++
		}
	}
	for _, s := range l.list {
		if s.disks[node] != "" {
			snapshots++
		}
	}
	return deltas > snapshots
}

// ConsolidateVMDisksTask writes the deltas that no snapshot needs into the disks they stand on. The lab does so for a VM without
// snapshots, and refuses one with some.
func (o *vmObject) ConsolidateVMDisksTask(req *types.ConsolidateVMDisks_Task) soap.HasFault {
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		return &methods.ConsolidateVMDisks_TaskBody{Fault_: gone}
	}
	ref := m.run("VirtualMachine.consolidateDisks", func(j *job) (types.AnyType, types.BaseMethodFault) {
		list := m.snapshots()
		if len(list.list) > 0 {
			return nil, because(new(types.NotSupported), "The lab consolidates no virtual machine with snapshots.")
		}
		if m.disabled("RelocateVM_Task") != nil {
			return nil, because(&types.FileLocked{FileFault: types.FileFault{File: m.name()}}, "A backup product has the disks open.")
		}
		disks, f := m.vc.disks(m.datacenter(), m.config())
		if f != nil {
			return nil, f
		}
		// One snapshot per delta that is left over, which is then removed as any other.
		devices := m.config().Hardware.Device
		for _, x := range devices {
			disk, ok := x.(*types.VirtualDisk)
			if !ok {
				continue
			}
			layers, node := disks[disk.Key], nodeOf(devices, disk)
			mine := own(layers)
			for i := len(mine) - 1; i > 0; i-- {
				n := len(mine) - 1 - i
				if n >= len(list.list) {
					list.last++
					list.list = append(list.list, snapshot{uid: list.last, parent: list.current, disks: map[string]string{}})
					list.current = list.last
				}
				list.list[n].disks[node] = m.place().relative(mine[i].at)
			}
		}
		if f := j.sleep(m.vc.lab.Scenario.Durations.Other); f != nil {
			return nil, f
		}
		if f := j.commit(); f != nil {
			return nil, f
		}
		for len(list.list) > 0 {
			uid := list.list[len(list.list)-1].uid
			if f := m.merge(list, uid); f != nil {
				return nil, f
			}
		}
		return nil, nil
	})
	return &methods.ConsolidateVMDisks_TaskBody{Res: &types.ConsolidateVMDisks_TaskResponse{Returnval: ref}}
}
