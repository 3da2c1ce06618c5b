package lab

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

const (
	on        = types.VirtualMachinePowerStatePoweredOn
	off       = types.VirtualMachinePowerStatePoweredOff
	suspended = types.VirtualMachinePowerStateSuspended
)

// PowerOnVMTask powers a VM on, or resumes it. It is refused for a template, in the wrong power state, on a host that is too old
// for its virtual hardware or that lacks one of its networks or volumes, and while somebody else has its files open.
func (o *vmObject) PowerOnVMTask(req *types.PowerOnVM_Task) soap.HasFault {
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		return &methods.PowerOnVM_TaskBody{Fault_: gone}
	}
	ref := m.run("VirtualMachine.powerOn", func(j *job) (types.AnyType, types.BaseMethodFault) { return nil, m.powerOn(j) })
	return &methods.PowerOnVM_TaskBody{Res: &types.PowerOnVM_TaskResponse{Returnval: ref}}
}

func (m *machine) powerOn(j *job) types.BaseMethodFault {
	was := m.power()
	switch {
	case m.template():
		return because(new(types.NotSupported), "A template cannot be powered on.")
	case was == on:
		return wrongPower(was, on)
	}
	for _, check := range []func() types.BaseMethodFault{m.runnable, m.resumable, m.admitted} {
		if f := check(); f != nil {
			return f
		}
	}
	files, f := m.files()
	if f != nil {
		return f
	}
	if busy, ok := m.vc.lab.locks.lock(m.owner(), files); !ok {
		return locked(busy)
	}
	f = m.settleLocation(j)
	if f == nil {
		f = j.sleep(m.vc.lab.Scenario.Durations.PowerOn)
	}
	if f == nil {
		f = j.commit()
	}
	if f != nil {
		m.vc.lab.locks.unlock(m.owner())
		return f
	}
	m.started(was == suspended)
	return nil
}

// files are those that the VM's host opens to run it. All must be there, on volumes that the host has mounted.
func (m *machine) files() (openFiles, types.BaseMethodFault) { return m.filesFrom(m.host()) }

// filesFrom are the files as another host would open them.
func (m *machine) filesFrom(host *simulator.HostSystem) (openFiles, types.BaseMethodFault) {
	dc, at := m.datacenter(), m.place()
	out := openFiles{write: []place{at}}
	if m.vc.lab.size(at) < 0 {
		return out, &types.FileNotFound{FileFault: types.FileFault{File: at.path}}
	}
	disks, f := m.vc.disks(dc, m.config())
	if f != nil {
		return out, f
	}
	for _, layers := range disks {
		out.write = append(out.write, layers[0].at)
		for _, y := range layers[1:] {
			out.read = append(out.read, y.at)
		}
	}
	for _, p := range slices.Concat(out.write, out.read) {
		if v := m.vc.lookup(dc, p.uuid); v == nil || !v.hosts[host.Self] {
			return out, because(&types.CannotAccessFile{FileFault: types.FileFault{File: p.path}}, "Host '%s' has not mounted its volume.", m.vc.entityName(host))
		}
	}
	return out, nil
}

// runnable checks a VM against its host.
func (m *machine) runnable() types.BaseMethodFault {
	if f := m.vc.hasDevices(m.config(), m.host()); f != nil {
		return f
	}
	return m.vc.runsOn(m.config(), m.host())
}

// runsOn checks whether a host can run a configuration: its state, virtual hardware, processors and networks. A NIC that is not
// connected at start may lack its network.
func (vc *VC) runsOn(c *types.VirtualMachineConfigInfo, host *simulator.HostSystem) types.BaseMethodFault {
	var version, name string
	var maintenance bool
	var state types.HostSystemConnectionState
	var threads int16
	vc.newCtx().WithLock(host, func() {
		name, maintenance, state = host.Name, host.Runtime.InMaintenanceMode, host.Runtime.ConnectionState
		if p := host.Summary.Config.Product; p != nil {
			version = p.Version
		}
		if h := host.Summary.Hardware; h != nil {
			threads = max(h.NumCpuThreads, h.NumCpuCores)
		}
	})
	if state != types.HostSystemConnectionStateConnected {
		return because(new(types.InvalidState), "Host '%s' is %s.", name, state)
	}
	if maintenance {
		return because(new(types.InvalidState), "Host '%s' is in maintenance mode.", name)
	}
	if s := vc.lab.servers[name]; s != nil {
		if f := s.licensed(vc.lab); f != nil {
			return f
		}
	}
	if hw := hardwareVersion(c); hw > scenario.MaxHardware(version) {
		return because(&types.VirtualHardwareVersionNotSupported{HostName: name, Host: host.Self},
			"The virtual machine has version %d, ESXi %s knows versions up to %d.", hw, version, scenario.MaxHardware(version))
	}
	if threads > 0 && c.Hardware.NumCPU > int32(threads) {
		return &types.NotEnoughCpus{NumCpuDest: int32(threads), NumCpuVm: c.Hardware.NumCPU}
	}
	for _, f := range []types.BaseMethodFault{unreserved(c), vc.decipher(c, host)} {
		if f != nil {
			return f
		}
	}
	for _, x := range c.Hardware.Device {
		v := x.GetVirtualDevice()
		if _, ok := x.(types.BaseVirtualEthernetCard); !ok || v.Connectable != nil && !v.Connectable.StartConnected {
			continue
		}
		if _, f := vc.networkFor(host, v.DeviceInfo.GetDescription().Label, v.Backing); f != nil {
			return f
		}
	}
	return nil
}

func hardwareVersion(c *types.VirtualMachineConfigInfo) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(c.Version, "vmx-"))
	return n
}

// started makes a VM whose files are locked powered on, and lets its guest boot; a resumed one runs at once.
func (m *machine) started(resumed bool) {
	evc, shown := m.vc.evcOffered(m.host()), m.vc.inEVC(m.host())
	m.mu.Lock()
	m.era++
	m.stopping, m.crashed = false, false
	g, era := m.guest, m.era
	m.mu.Unlock()
	m.edit(func(vm *simulator.VirtualMachine) {
		vm.Runtime.PowerState, vm.Runtime.BootTime = on, now()
		m.runsWith(vm, evc, shown)
		vm.Runtime.CleanPowerOff, vm.Runtime.SuspendTime, vm.Runtime.MemoryOverhead = nil, nil, overhead(vm.Config)
		m.running(vm, true)
		connect(vm, true)
		m.report(vm, resumed && g.Tools == "running")
	})
	if resumed {
		_ = os.Remove(m.vc.lab.on(m.suspendFile()))
		_ = m.save() // without the name of the memory
	}
	at := m.place()
	m.vc.lab.ledger.PowerOn(m.vc.Spec.Name, at.String())
	m.vc.lab.guests.On(g.ID, time.Now())
	if resumed {
		m.vc.lab.guests.Booted(g.ID, time.Now())
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.later(g.Boot, era, (*machine).booted)
}

// report writes what the Tools tell, under the VM's lock.
func (m *machine) report(vm *simulator.VirtualMachine, running bool) {
	m.mu.Lock()
	g := m.guest
	m.mu.Unlock()
	report(vm, g, running)
	if h, ok := m.vc.Map().Get(*vm.Runtime.Host).(*simulator.HostSystem); ok && h.Config != nil {
		current(vm, g, h.Config.Product.Version)
	}
	vm.Summary.Runtime = vm.Runtime
}

// event is what the guest of a VM will do at a time.
type event struct {
	at  time.Time
	era int
	do  func(m *machine, era int)
}

// later lets the guest do something after a duration of the real site, scaled, unless the VM's power changes meanwhile. m.mu is held.
func (m *machine) later(d time.Duration, era int, do func(m *machine, era int)) {
	m.schedule(event{time.Now().Add(m.vc.lab.scale(d)), era, do})
}

// schedule sets the timer of an event. m.mu is held.
func (m *machine) schedule(e event) {
	m.next = e
	time.AfterFunc(time.Until(e.at), func() {
		m.mu.Lock()
		same := m.era == e.era
		m.mu.Unlock()
		if same && m.vc.lab.ctx.Err() == nil {
			e.do(m, e.era)
		}
	})
}

func (m *machine) booted(era int) {
	g := m.who()
	m.edit(func(vm *simulator.VirtualMachine) {
		m.mu.Lock()
		same := m.era == era
		m.mu.Unlock()
		if same && vm.Runtime.PowerState == on && g.Tools == "running" {
			m.report(vm, true)
		}
	})
	m.vc.lab.guests.Booted(g.ID, time.Now())
}

// stopped makes a VM powered off. It ends a shutdown of the guest: whoever sees the VM off can have it.
func (m *machine) stopped(clean bool) {
	m.mu.Lock()
	m.era++
	m.stopping, m.crashed = false, false
	g, at := m.guest, m.at
	m.mu.Unlock()
	wasSuspended := m.power() == suspended
	_ = os.Remove(m.vc.lab.on(m.suspendFile()))
	m.vc.lab.locks.unlock(m.owner())
	m.vc.lab.ledger.PowerOff(m.vc.Spec.Name, at.String())
	m.vc.lab.guests.Off(g.ID, time.Now())
	m.edit(func(vm *simulator.VirtualMachine) {
		vm.Runtime.PowerState, vm.Runtime.BootTime, vm.Runtime.CleanPowerOff = off, nil, types.NewBool(clean)
		vm.Runtime.SuspendTime, vm.Runtime.MemoryOverhead = nil, 0
		m.runsWith(vm, "", false)
		m.running(vm, false)
		connect(vm, false)
		m.report(vm, false)
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.task != nil && *m.task == guestShutdown {
			m.task = nil
		}
	})
	if wasSuspended {
		_ = m.save()
	}
}

// PowerOffVMTask cuts the power: the guest is not asked.
func (o *vmObject) PowerOffVMTask(req *types.PowerOffVM_Task) soap.HasFault {
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		return &methods.PowerOffVM_TaskBody{Fault_: gone}
	}
	ref := m.run("VirtualMachine.powerOff", func(j *job) (types.AnyType, types.BaseMethodFault) {
		if p := m.power(); p == off {
			return nil, wrongPower(p, off)
		}
		if f := j.sleep(m.vc.lab.Scenario.Durations.PowerOff); f != nil {
			return nil, f
		}
		if f := j.commit(); f != nil {
			return nil, f
		}
		if m.power() != off { // a guest that shut down meanwhile is off already
			m.stopped(false)
		}
		return nil, nil
	})
	return &methods.PowerOffVM_TaskBody{Res: &types.PowerOffVM_TaskResponse{Returnval: ref}}
}

// ResetVMTask cuts the power and starts the VM again.
func (o *vmObject) ResetVMTask(req *types.ResetVM_Task) soap.HasFault {
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		return &methods.ResetVM_TaskBody{Fault_: gone}
	}
	ref := m.run("VirtualMachine.reset", func(j *job) (types.AnyType, types.BaseMethodFault) {
		if p := m.power(); p != on {
			return nil, wrongPower(p, on)
		}
		if f := j.sleep(m.vc.lab.Scenario.Durations.PowerOff); f != nil {
			return nil, f
		}
		if f := j.commit(); f != nil {
			return nil, f
		}
		if p := m.power(); p != on {
			return nil, wrongPower(p, on)
		}
		m.restart(0)
		return nil, nil
	})
	return &methods.ResetVM_TaskBody{Res: &types.ResetVM_TaskResponse{Returnval: ref}}
}

// restart lets the guest boot anew, after the time its shutdown takes.
func (m *machine) restart(shutdown time.Duration) {
	m.mu.Lock()
	m.era++
	m.stopping = false
	g, era := m.guest, m.era
	m.mu.Unlock()
	m.vc.lab.guests.Stopping(g.ID, time.Now())
	m.edit(func(vm *simulator.VirtualMachine) { m.report(vm, false) })
	m.mu.Lock()
	defer m.mu.Unlock()
	m.later(shutdown+g.Boot, era, (*machine).booted)
}
