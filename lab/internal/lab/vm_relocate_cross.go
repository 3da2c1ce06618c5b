package lab

import (
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// crossing is the move of a VM to another vCenter, while it runs or powered off. Until arrive the VM is whole at its old vCenter
// and the other one knows nothing of it.
type crossing struct {
	relocation
	reserved reservations // at the new vCenter
}

func (m *machine) cross(j *job, spec *types.VirtualMachineRelocateSpec) types.BaseMethodFault {
	to, f := m.vc.locate(spec.Service)
	if f != nil {
		return f
	}
	j.crosses(to)
	x := &crossing{relocation{m: m, spec: spec, vc: to}, reservations{set: &to.machines}}
	defer x.reserved.release()
	for _, step := range []func() types.BaseMethodFault{x.movable, x.destination, x.supported, x.networks, x.runs, x.storage, x.drives, x.obstacles, x.unique} {
		if f := step(); f != nil {
			return f
		}
	}
	return x.perform(j, x.arrive)
}

// arrive makes the move. What somebody changed at either vCenter during the copy is noticed here, and ends it.
func (x *crossing) arrive(j *job) types.BaseMethodFault {
	for _, step := range []func() types.BaseMethodFault{x.movable, x.destination, x.supported, x.free, x.runs, x.mounts, j.commit} {
		if f := step(); f != nil {
			return f
		}
	}
	datacenter := x.m.datacenter()
	if f := x.files.commit(); f != nil {
		return f
	}
	x.translate(datacenter)
	at := x.files.at
	text := encode(x.config, at, x.vc.locationOf(at), func(d types.BaseVirtualDevice) (place, bool) { return x.vc.placeOf(x.dc, d) })
	if f := x.m.vc.lab.writeFile(at, text.Bytes()); f != nil {
		return f
	}
	x.handOver(at)
	x.files.clean()
	return nil
}

// translate gives the configuration the names that the files have at the new vCenter; those that were copied have theirs already.
func (x *crossing) translate(datacenter *simulator.Datacenter) {
	c, copied := x.config, map[int32]bool{}
	for _, y := range x.files.moves {
		copied[y.key] = true
	}
	list := make([]types.BaseVirtualDevice, len(c.Hardware.Device))
	for i, old := range c.Hardware.Device {
		d := clone(old)
		switch y := d.(type) {
		case *types.VirtualDisk:
			if b, ok := y.Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok && !copied[y.Key] {
				y.Backing = x.vc.diskDevice(x.dc, x.files.layers[y.Key], b.DiskMode).Backing
				setSharing(y, b.Sharing)
			}
		case *types.VirtualCdrom:
			if b, ok := y.Backing.(*types.VirtualCdromIsoBackingInfo); ok {
				if p, ok := x.m.vc.placeOf(datacenter, old); ok {
					b.VirtualDeviceFileBackingInfo = x.vc.fileBacking(x.dc, p)
				}
			}
		case *types.VirtualFloppy:
			if b, ok := y.Backing.(*types.VirtualFloppyImageBackingInfo); ok {
				if p, ok := x.m.vc.placeOf(datacenter, old); ok {
					b.VirtualDeviceFileBackingInfo = x.vc.fileBacking(x.dc, p)
				}
			}
		}
		list[i] = d
	}
	arrange(list)
	c.Hardware.Device = list
	file := x.vc.fileBacking(x.dc, x.files.at).FileName
	dir := file[:strings.LastIndex(file, "/")+1]
	c.Files = types.VirtualMachineFileInfo{VmPathName: file, SnapshotDirectory: dir, SuspendDirectory: dir, LogDirectory: dir}
	modified(c)
}

// crossingTask has the VM at its new vCenter until it is complete there.
var crossingTask = types.ManagedObjectReference{Type: "Task", Value: "arriving"}

// handOver takes the VM from one inventory and puts it, as it is, into the other: first out, then in, so that it is never in both.
// A running guest does not notice: what it was about to do, it does at the new vCenter.
func (x *crossing) handOver(at place) {
	m, to := x.m, x.vc
	n := &machine{vc: to, at: at, location: to.locationOf(at), task: &crossingTask}
	m.mu.Lock()
	m.era++ // timers that the VM had here do nothing any more
	n.guest, n.stopping, n.era, n.next = m.guest, m.stopping, m.era, m.next
	pending := n.next.do != nil && n.next.era == m.era-1
	m.mu.Unlock()
	vm, tools, needs, shown := to.assemble(x.config, x.host.Self, x.pool), false, m.needs(), to.inEVC(x.host)
	m.read(func(old *simulator.VirtualMachine) {
		r, was := &vm.Runtime, old.Runtime
		r.PowerState, r.BootTime, r.CleanPowerOff = was.PowerState, was.BootTime, was.CleanPowerOff
		n.runsWith(vm, needs, shown)
		tools = old.Guest.ToolsRunningStatus == string(types.VirtualMachineToolsRunningStatusGuestToolsRunning)
	})
	m.vc.drop(m)
	to.enter(n, vm, x.folder, tools)
	to.machines.hold(at)
	if n.power() == on {
		to.lab.ledger.PowerOn(to.Spec.Name, at.String())
		if files, f := n.files(); f == nil {
			to.lab.locks.pass(m.owner(), n.owner(), files)
		}
	}
	n.loadSnapshots()
	n.edit(func(vm *simulator.VirtualMachine) { n.report(vm, tools) })
	n.mu.Lock()
	defer n.mu.Unlock()
	if pending {
		n.next.era = n.era
		n.schedule(n.next)
	}
	n.task = nil
}
