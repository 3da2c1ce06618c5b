package lab

import (
	"cmp"
	"os"
	"path"
	"slices"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/bandwidth"
)

// RelocateVMTask moves a VM to another host, pool, folder or datastore, cold or while it runs.
func (o *vmObject) RelocateVMTask(req *types.RelocateVM_Task) soap.HasFault {
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		return &methods.RelocateVM_TaskBody{Fault_: gone}
	}
	ref := m.run("VirtualMachine.relocate", func(j *job) (types.AnyType, types.BaseMethodFault) { return nil, m.relocate(j, &req.Spec) })
	return &methods.RelocateVM_TaskBody{Res: &types.RelocateVM_TaskResponse{Returnval: ref}}
}

// MigrateVMTask is the older call for a change of host or pool.
func (o *vmObject) MigrateVMTask(req *types.MigrateVM_Task) soap.HasFault {
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		return &methods.MigrateVM_TaskBody{Fault_: gone}
	}
	ref := m.run("VirtualMachine.migrate", func(j *job) (types.AnyType, types.BaseMethodFault) {
		if p := m.power(); req.State != "" && req.State != p {
			return nil, wrongPower(p, req.State)
		}
		return nil, m.relocate(j, &types.VirtualMachineRelocateSpec{Host: req.Host, Pool: req.Pool})
	})
	return &methods.MigrateVM_TaskBody{Res: &types.MigrateVM_TaskResponse{Returnval: ref}}
}

// relocation is one move.
type relocation struct {
	m    *machine
	spec *types.VirtualMachineRelocateSpec
	vc   *VC                   // after the move, as everything below
	dc   *simulator.Datacenter // the VM's new one

	config *types.VirtualMachineConfigInfo
	host   *simulator.HostSystem
	pool   *types.ManagedObjectReference
	folder *simulator.Folder
	files  fileMove
}

func (m *machine) relocate(j *job, spec *types.VirtualMachineRelocateSpec) types.BaseMethodFault {
	if spec.Service != nil {
		return m.cross(j, spec)
	}
	if f := m.mapsRawDevice("relocate"); f != nil {
		return f
	}
	r := &relocation{m: m, spec: spec, vc: m.vc, dc: m.datacenter()}
	for _, step := range []func() types.BaseMethodFault{r.place, r.network, r.storage, r.obstacles} {
		if f := step(); f != nil {
			return f
		}
	}
	return r.perform(j, r.finish)
}

// elsewhere reports whether the VM changes its host.
func (r *relocation) elsewhere() bool { return r.vc != r.m.vc || r.host.Self != r.m.host().Self }

// perform copies, waits and, if nothing came between, lets finish make the move.
func (r *relocation) perform(j *job, finish func(*job) types.BaseMethodFault) types.BaseMethodFault {
	j.touch(r.host)
	defer r.record()()
	if f := r.files.begin(); f != nil {
		r.files.undo()
		return f
	}
	j.vc.lab.space.begin(r)
	defer j.vc.lab.space.end(r)
	durations := j.vc.lab.Scenario.Durations
	f := r.copy(j)
	if f == nil && r.elsewhere() && r.m.power() == on {
		f = j.sleep(durations.VMotion)
	} else if f == nil && r.files.empty() {
		f = j.sleep(durations.Other)
	}
	if f == nil {
		f = finish(j)
	}
	if f != nil {
		r.files.undo()
	}
	return f
}

// copy moves the written bytes of every disk, one after another, at the speed that the arrays have left.
func (r *relocation) copy(j *job) types.BaseMethodFault {
	for _, x := range r.files.moves {
		for again := true; again; {
			if f := r.paths(j, x); f != nil {
				return f
			}
			c := j.vc.lab.copies.Start(x.bytes-x.copied.Load(), j.vc.lab.array(x.from), j.vc.lab.array(x.to))
			var f types.BaseMethodFault
			if again, f = r.follow(j, c, x); f != nil || again {
				j.vc.lab.copies.Stop(c)
			}
			if f != nil {
				return f
			}
		}
	}
	return nil
}

// follow waits for the end of a copy of what is left of a disk. It returns true if the copy has to be taken up again, from where
// it is.
func (r *relocation) follow(j *job, c *bandwidth.Copy, x *diskMove) (again bool, f types.BaseMethodFault) {
	tick := time.NewTicker(max(20*time.Millisecond, j.vc.lab.scale(2*time.Second)))
	defer tick.Stop()
	had := x.copied.Load()
	for {
		over := false
		select {
		case <-c.Done():
			over = true
		case <-j.cancel:
			return false, j.ended()
		case <-j.vc.lab.ctx.Done():
			return false, j.ended()
		case <-tick.C:
		}
		x.copied.Store(had + int64(float64(x.bytes-had)*j.vc.lab.copies.Progress(c)))
		if !over && r.severed(x) != "" {
			return true, nil
		}
		if j.vc.lab.full(x.to) {
			v, _ := j.vc.lab.Fabric.Volume(x.to)
			return false, because(&types.NoDiskSpace{FileFault: types.FileFault{File: r.config.Name}, Datastore: v.Label}, "It became full during the copy.")
		}
		if over {
			return false, nil
		}
		j.progress(r.files.percent())
	}
}

// finish makes the move: the files of the old place go, and the VM is what it is at the new one.
func (r *relocation) finish(j *job) types.BaseMethodFault {
	if f := j.commit(); f != nil {
		return f
	}
	m, vc := r.m, r.m.vc
	if f := r.visible(); f != nil && (r.elsewhere() || !r.files.empty()) {
		return f
	}
	switch connected, maintenance := vc.hostState(r.host); {
	case !connected:
		return because(new(types.HostNotConnected), "vCenter has no connection to host '%s'.", vc.entityName(r.host))
	case maintenance && r.elsewhere():
		return because(new(types.InvalidState), "Host '%s' is in maintenance mode.", vc.entityName(r.host))
	}
	before := m.parents()
	defer func() { vc.nothingRuns(r.host) }()
	if f := r.files.commit(); f != nil {
		return f
	}
	host := r.host.Self
	changed := host != m.host().Self
	evc, shown, needs := vc.evcOffered(r.host), vc.inEVC(r.host), m.needs()
	m.edit(func(vm *simulator.VirtualMachine) {
		vm.Runtime.Host, vm.ResourcePool = &host, r.pool
		vm.EnvironmentBrowser = vc.browserFor(host)
		if changed && vm.Runtime.PowerState != off {
			m.runsWith(vm, cmp.Or(needs, evc), shown)
		}
		vm.Summary.Runtime = vm.Runtime
	})
	if r.folder != nil {
		vc.moveInto(m, r.folder)
	}
	f := m.replace(r.config)
	vc.relink(m.self, before, m.parents())
	vc.leaveClusters(m.self)
	if m.power() == on {
		if files, f := m.files(); f == nil {
			vc.lab.locks.pass(m.owner(), m.owner(), files)
		}
	}
	r.files.clean()
	return f
}

// moveInto puts a VM into another folder.
func (vc *VC) moveInto(m *machine, to *simulator.Folder) {
	m.leave()
	vc.leaveFolder(m)
	ctx := vc.newCtx()
	ctx.WithLock(to, func() {
		ctx.Update(to, []types.PropertyChange{{Name: "childEntity", Val: append(slices.Clone(to.ChildEntity), m.self)}})
	})
	parent := to.Self
	vc.update(m.vm(), types.PropertyChange{Name: "parent", Val: &parent})
}

// removeEmpty removes a directory if nothing is left in it.
func (l *Lab) removeEmpty(p place) {
	if p.path != "." && p.path != "" && path.Dir(p.path+"/x") != "." {
		_ = os.Remove(l.on(p))
	}
}
