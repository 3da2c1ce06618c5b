package lab

import (
	"os"
	"path"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// MarkAsTemplate makes a powered-off VM a template: it leaves its pool, and its .vmx becomes a .vmtx.
func (o *vmObject) MarkAsTemplate(req *types.MarkAsTemplate) soap.HasFault {
	body := new(methods.MarkAsTemplateBody)
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		body.Fault_ = gone
		return body
	}
	f := m.briefly(func() types.BaseMethodFault {
		if p := m.power(); p != off {
			return wrongPower(p, off)
		}
		if m.template() {
			return because(new(types.NotSupported), "It is a template already.")
		}
		if vm := m.vm(); protected(m.config()) || vm.ParentVApp != nil {
			return because(new(types.NotSupported), "The virtual machine is fault tolerant, or in a vApp.")
		}
		return m.mark(true, nil, nil)
	})
	if f != nil {
		body.Fault_ = fault(f)
		return body
	}
	body.Res = new(types.MarkAsTemplateResponse)
	return body
}

// MarkAsVirtualMachine makes a template a VM again, in a pool.
func (o *vmObject) MarkAsVirtualMachine(req *types.MarkAsVirtualMachine) soap.HasFault {
	body := new(methods.MarkAsVirtualMachineBody)
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		body.Fault_ = gone
		return body
	}
	f := m.briefly(func() types.BaseMethodFault {
		if !m.template() {
			return because(new(types.NotSupported), "It is no template.")
		}
		_, ok := m.vc.Map().Get(req.Pool).(*simulator.ResourcePool)
		c := m.vc.computeResource(req.Pool)
		if !ok || c == nil {
			return &types.ManagedObjectNotFound{Obj: req.Pool}
		}
		host := m.host().Self
		if req.Host != nil {
			host = *req.Host
		}
		owner := m.vc.computeResource(host)
		if owner == nil || owner.Self != c.Self {
			return because(&types.InvalidArgument{InvalidProperty: "pool"}, "The pool does not belong to the cluster of the host.")
		}
		if h, ok := m.vc.Map().Get(host).(*simulator.HostSystem); !ok || !m.vc.takesVMs(h) {
			return because(new(types.InvalidState), "The host is in maintenance mode or not connected.")
		}
		return m.mark(false, &req.Pool, &host)
	})
	if f != nil {
		body.Fault_ = fault(f)
		return body
	}
	body.Res = new(types.MarkAsVirtualMachineResponse)
	return body
}

// briefly runs f for a call that starts no task, with the VM taken.
func (m *machine) briefly(f func() types.BaseMethodFault) types.BaseMethodFault {
	if fault := m.take(types.ManagedObjectReference{Type: "Task", Value: "call-" + m.self.Value}); fault != nil {
		return fault
	}
	defer m.release()
	for _, refused := range []func() types.BaseMethodFault{m.orphaned, m.severed} {
		if fault := refused(); fault != nil {
			return fault
		}
	}
	return f()
}

// mark renames the configuration file and changes the VM accordingly.
func (m *machine) mark(template bool, pool, host *types.ManagedObjectReference) types.BaseMethodFault {
	from := m.place()
	ext := ".vmx"
	if template {
		ext = ".vmtx"
	}
	to := place{from.uuid, strings.TrimSuffix(from.path, path.Ext(from.path)) + ext}
	if m.vc.lab.locks.others(from, m.owner()) {
		return locked(from)
	}
	if err := os.Rename(m.vc.lab.on(from), m.vc.lab.on(to)); err != nil {
		return because(&types.CannotAccessFile{FileFault: types.FileFault{File: from.path}}, "%v.", cause(err))
	}
	before := m.parents()
	m.moved(to)
	m.edit(func(vm *simulator.VirtualMachine) {
		vm.ResourcePool = pool
		if host != nil {
			vm.Runtime.Host = host
			vm.Summary.Runtime = vm.Runtime
		}
	})
	c := *m.config()
	c.Template = template
	c.Files.VmPathName = m.vc.fileBacking(m.datacenter(), to).FileName
	f := m.replace(&c)
	m.vc.relink(m.self, before, m.parents())
	m.vc.leaveClusters(m.self)
	return f
}

// moved notes that the VM's .vmx is elsewhere now. That the platform did it itself raises no question at power-on.
func (m *machine) moved(to place) {
	s := &m.vc.machines
	s.mu.Lock()
	defer s.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.location == m.vc.locationOf(m.at) {
		m.location = m.vc.locationOf(to)
	}
	delete(s.homes, m.at)
	if s.homes == nil {
		s.homes = map[place]bool{}
	}
	s.homes[to] = true
	m.vc.lab.ledger.Move(m.at.String(), to.String())
	m.at = to
}
