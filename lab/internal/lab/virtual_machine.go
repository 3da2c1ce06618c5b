package lab

import (
	"os"
	"path"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// machine is what the lab keeps of a virtual machine beside its managed object.
type machine struct {
	vc   *VC
	self types.ManagedObjectReference

	mu       sync.Mutex
	task     *types.ManagedObjectReference // that has the VM: one at a time
	at       place                         // of the .vmx
	location string                        // hash of the place where it last ran
	guest    guest
	features string // the EVC mode that it runs, or is suspended, with
	era      int    // counts changes of power: a timer set in an earlier one does nothing
	stopping bool
	crashed  bool  // it runs no longer, and vCenter does not know
	next     event // of the guest, if it is of this era
	asked    *question
}

// machineSet are the virtual machines of a vCenter.
type machineSet struct {
	mu    sync.Mutex
	byRef map[types.ManagedObjectReference]*machine
	homes map[place]bool  // .vmx files registered, or about to be
	names map[string]bool // names about to be used: folder and name

	questions, ports atomic.Int64
}

func (s *machineSet) get(ref types.ManagedObjectReference) *machine {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byRef[ref]
}

func (s *machineSet) all() []*machine {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*machine, 0, len(s.byRef))
	for _, m := range s.byRef {
		out = append(out, m)
	}
	return out
}

// vm returns the managed object, or nil if the VM is registered no longer.
func (m *machine) vm() *simulator.VirtualMachine {
	vm, _ := m.vc.Map().Get(m.self).(*simulator.VirtualMachine)
	return vm
}

// read runs f under the lock of the managed object.
func (m *machine) read(f func(*simulator.VirtualMachine)) {
	if vm := m.vm(); vm != nil {
		m.vc.newCtx().WithLock(vm, func() { f(vm) })
	}
}

// edit runs f under the lock of the managed object and tells waiting clients what changed. Answers are written without the
// lock: f replaces what pointers point to instead of changing it.
func (m *machine) edit(f func(*simulator.VirtualMachine)) {
	if vm := m.vm(); vm != nil {
		m.vc.newCtx().AutoUpdate(vm, func() { f(vm) })
	}
}

// config is the present configuration, to be read only: a change replaces it.
func (m *machine) config() (c *types.VirtualMachineConfigInfo) {
	m.read(func(vm *simulator.VirtualMachine) { c = vm.Config })
	return c
}

func (m *machine) name() (name string) {
	m.read(func(vm *simulator.VirtualMachine) { name = vm.Name })
	return name
}

func (m *machine) power() (p types.VirtualMachinePowerState) {
	m.read(func(vm *simulator.VirtualMachine) { p = vm.Runtime.PowerState })
	return p
}

func (m *machine) template() (t bool) {
	m.read(func(vm *simulator.VirtualMachine) { t = vm.Config.Template })
	return t
}

func (m *machine) host() (h *simulator.HostSystem) {
	var ref types.ManagedObjectReference
	m.read(func(vm *simulator.VirtualMachine) { ref = *vm.Runtime.Host })
	h, _ = m.vc.Map().Get(ref).(*simulator.HostSystem)
	return h
}

func (m *machine) datacenter() *simulator.Datacenter { return m.vc.datacenterOf(m.self) }

func (m *machine) place() place {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at
}

func (m *machine) who() guest {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.guest
}

// take lets a task have the VM; another one gets TaskInProgress.
func (m *machine) take(task types.ManagedObjectReference) types.BaseMethodFault {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.task != nil {
		return &types.TaskInProgress{Task: *m.task}
	}
	if m.vm() == nil {
		return &types.ManagedObjectNotFound{Obj: m.self}
	}
	if f := m.pending(); f != nil {
		return f
	}
	m.task = &task
	return nil
}

func (m *machine) release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.task = nil
}

// run starts a task that has the VM while it runs.
func (m *machine) run(descriptionID string, fn func(*job) (types.AnyType, types.BaseMethodFault)) types.ManagedObjectReference {
	return m.vc.launch(m.vm(), descriptionID, m.name(), func(j *job) (types.AnyType, types.BaseMethodFault) {
		if f := m.take(j.Self); f != nil {
			return nil, f
		}
		defer m.release()
		if f := j.hold(); f != nil {
			return nil, f
		}
		j.touch(m.host())
		if f := m.operable(descriptionID); f != nil {
			return nil, f
		}
		return fn(j)
	})
}

// operable refuses a task that the VM's host cannot carry out now. To cut the power a host needs no files.
func (m *machine) operable(descriptionID string) types.BaseMethodFault {
	for _, refused := range []func() types.BaseMethodFault{m.orphaned, m.unreachable} {
		if f := refused(); f != nil {
			return f
		}
	}
	if descriptionID == "VirtualMachine.powerOff" {
		return nil
	}
	return m.severed()
}

// wrongPower is the fault for a VM in another power state than the operation needs.
func wrongPower(is, needs types.VirtualMachinePowerState) types.BaseMethodFault {
	return &types.InvalidPowerState{ExistingState: is, RequestedState: needs}
}

// save writes the .vmx file from the present configuration: the files are the truth of what a VM is. It fails if another host
// has the file open.
func (m *machine) save() types.BaseMethodFault {
	at := m.place()
	if m.vc.lab.locks.others(at, m.owner()) {
		return locked(at)
	}
	m.mu.Lock()
	location := m.location
	m.mu.Unlock()
	dc := m.datacenter()
	d := encode(m.config(), at, location, func(x types.BaseVirtualDevice) (place, bool) { return m.vc.placeOf(dc, x) })
	if m.power() == suspended {
		d.Set(suspendKey, path.Base(m.suspendFile().path))
	}
	return m.vc.lab.writeFile(at, d.Bytes())
}

// writeFile replaces a text file in one step.
func (l *Lab) writeFile(at place, text []byte) types.BaseMethodFault {
	file := l.on(at)
	if err := os.WriteFile(file+"~", text, 0o600); err != nil {
		return because(&types.CannotAccessFile{FileFault: types.FileFault{File: at.path}}, "%v.", cause(err))
	}
	if err := os.Rename(file+"~", file); err != nil {
		return because(&types.CannotAccessFile{FileFault: types.FileFault{File: at.path}}, "%v.", cause(err))
	}
	return nil
}

// placeOf is where the file behind a device lies.
func (vc *VC) placeOf(dc *simulator.Datacenter, x types.BaseVirtualDevice) (place, bool) {
	b, ok := x.GetVirtualDevice().Backing.(types.BaseVirtualDeviceFileBackingInfo)
	if !ok {
		return place{}, false
	}
	return vc.placeNamed(dc, b.GetVirtualDeviceFileBackingInfo().FileName)
}

// placeNamed is the place that a datastore path, or the path of a volume that the datacenter lacks, means.
func (vc *VC) placeNamed(dc *simulator.Datacenter, name string) (place, bool) {
	if v, p, fault := vc.resolve(dc, name); fault == nil {
		return place{v.uuid, p}, true
	}
	if len(name) > len(volumesRoot) && name[:len(volumesRoot)] == volumesRoot {
		return place{}.absolute(name), true
	}
	return place{}, false
}

// disks are the layers of every disk of a configuration.
func (vc *VC) disks(dc *simulator.Datacenter, c *types.VirtualMachineConfigInfo) (map[int32][]layer, types.BaseMethodFault) {
	out := map[int32][]layer{}
	for _, x := range c.Hardware.Device {
		if _, ok := x.(*types.VirtualDisk); !ok {
			continue
		}
		at, ok := vc.placeOf(dc, x)
		if !ok {
			return nil, &types.InvalidDeviceBacking{}
		}
		layers, fault := vc.lab.readDisk(at)
		if fault != nil {
			return nil, fault
		}
		out[x.GetVirtualDevice().Key] = layers
	}
	return out, nil
}

// machineOf is the machine that a request means; the fault is for an object that is gone.
func (vc *VC) machineOf(ref types.ManagedObjectReference) (*machine, *soap.Fault) {
	m := vc.machines.get(ref)
	if m == nil {
		return nil, fault(&types.ManagedObjectNotFound{Obj: ref})
	}
	return m, nil
}

// owner names a VM among the holders of file locks.
func (m *machine) owner() string { return m.vc.Spec.Name + "/" + m.self.Value }

// now is the present time as the API wants it.
func now() *time.Time { t := time.Now(); return &t }

// numbered returns the first of name, name_1, name_2 … that is free, as vSphere names directories and files.
func numbered(name string, taken func(string) bool) string {
	ext := path.Ext(name)
	base := name[:len(name)-len(ext)]
	for i := 0; ; i++ {
		n := name
		if i > 0 {
			n = base + "_" + strconv.Itoa(i) + ext
		}
		if !taken(n) {
			return n
		}
	}
}
