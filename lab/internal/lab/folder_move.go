package lab

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// MoveIntoFolderTask moves entities into a folder. Virtual machines are ours: the simulator puts them into a folder of another
// datacenter too, and beside another one of the same name. One that a task has is not moved.
func (o *vmFolder) MoveIntoFolderTask(ctx *simulator.Context, req *types.MoveIntoFolder_Task) soap.HasFault {
	f, ok := get[*simulator.Folder](o.vc, req.This)
	if !ok {
		return &methods.MoveIntoFolder_TaskBody{Fault_: fault(&types.ManagedObjectNotFound{Obj: req.This})}
	}
	var moving []*machine
	for _, ref := range req.List {
		if m := o.vc.machines.get(ref); m != nil {
			moving = append(moving, m)
		} else if o.vc.Map().Get(ref) == nil {
			return &methods.MoveIntoFolder_TaskBody{Fault_: fault(&types.ManagedObjectNotFound{Obj: ref})}
		}
	}
	if len(moving) < len(req.List) {
		if len(moving) > 0 {
			return &methods.MoveIntoFolder_TaskBody{Fault_: fault(because(new(types.NotSupported), "The lab moves virtual machines and other entities in separate calls."))}
		}
		return f.MoveIntoFolderTask(ctx, req)
	}
	ref := o.vc.run(f, "Folder.moveIntoFolder", o.vc.entityName(f), func(j *job) (types.AnyType, types.BaseMethodFault) {
		if refused := j.sleep(o.vc.lab.Scenario.Durations.Other); refused != nil {
			return nil, refused
		}
		for _, m := range moving {
			if refused := o.vc.refile(j, m, f); refused != nil {
				return nil, refused
			}
		}
		return nil, nil
	})
	return &methods.MoveIntoFolder_TaskBody{Res: &types.MoveIntoFolder_TaskResponse{Returnval: ref}}
}

// refile moves one VM into another folder of its datacenter.
func (vc *VC) refile(j *job, m *machine, to *simulator.Folder) types.BaseMethodFault {
	if refused := m.take(j.Self); refused != nil {
		return refused
	}
	defer m.release()
	if !holds(to, "VirtualMachine") || vc.datacenterOf(to.Self) != m.datacenter() {
		return because(new(types.NotSupported), "The folder is no folder for virtual machines of this datacenter.")
	}
	if from := m.folder(); from != nil && from.Self == to.Self {
		return nil
	}
	if taken := vc.freeName(to, m.name()); taken != nil {
		return taken
	}
	vc.moveInto(m, to)
	return nil
}
