package lab

import (
	"os"
	"path"
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
	"esxodus/lab/internal/vmx"
)

// vmFolder is Folder with what concerns virtual machines.
type vmFolder struct{ shadow }

func installVMFolder(vc *VC) {
	vc.redirect("Folder", &vmFolder{vc.shadow("VMFolder")}, "RegisterVM_Task", "CreateVM_Task", "MoveIntoFolder_Task")
}

// CreateVMTask is refused: the lab has no installer for guests, and an empty machine would be one without a guest to migrate.
func (o *vmFolder) CreateVMTask(*types.CreateVM_Task) soap.HasFault {
	return &methods.CreateVM_TaskBody{Fault_: fault(because(new(types.NotSupported), "The lab does not create virtual machines; its scenario does."))}
}

// RegisterVMTask adds the VM of a .vmx (or, as a template, .vmtx) file to the inventory. What the VM is comes from its files
// alone; folder and pool are those of the call, and nothing that only the old vCenter knew comes along.
func (o *vmFolder) RegisterVMTask(req *types.RegisterVM_Task) soap.HasFault {
	body := new(methods.RegisterVM_TaskBody)
	f, ok := o.vc.Map().Get(req.This).(*simulator.Folder)
	if !ok {
		body.Fault_ = fault(&types.ManagedObjectNotFound{Obj: req.This})
		return body
	}
	ref := o.vc.run(f, "Folder.registerVm", o.vc.entityName(f), func(j *job) (types.AnyType, types.BaseMethodFault) {
		r := registration{vc: o.vc, folder: f, req: req, reserved: reservations{set: &o.vc.machines}}
		defer r.reserved.release()
		if fault := r.check(); fault != nil {
			return nil, fault
		}
		j.touch(r.host)
		if fault := j.sleep(o.vc.lab.Scenario.Durations.Register); fault != nil {
			return nil, fault
		}
		if fault := j.commit(); fault != nil {
			return nil, fault
		}
		if !o.vc.takesVMs(r.host) {
			return nil, because(new(types.InvalidState), "Host '%s' is in maintenance mode or not connected.", o.vc.entityName(r.host))
		}
		return r.do()
	})
	body.Res = &types.RegisterVM_TaskResponse{Returnval: ref}
	return body
}

// registration is one call of RegisterVM_Task.
type registration struct {
	vc     *VC
	folder *simulator.Folder
	req    *types.RegisterVM_Task

	dc       *simulator.Datacenter
	at       place
	asleep   bool // its .vmx names a file with its memory
	host     *simulator.HostSystem
	config   *types.VirtualMachineConfigInfo
	guest    guest
	location string
	reserved reservations
}

// check refuses what vSphere refuses, and reserves the path and the name.
func (r *registration) check() types.BaseMethodFault {
	var holdsVMs bool
	r.vc.newCtx().WithLock(r.folder, func() { holdsVMs = slices.Contains(r.folder.ChildType, "VirtualMachine") })
	if r.dc = r.vc.datacenterOf(r.folder.Self); r.dc == nil || !holdsVMs {
		return because(new(types.NotSupported), "The folder is not for virtual machines.")
	}
	v, file, f := r.vc.resolve(r.dc, r.req.Path)
	if f != nil {
		return f
	}
	r.at = place{v.uuid, file}
	if ext := path.Ext(file); ext != ".vmx" && ext != ".vmtx" || (ext == ".vmtx") != r.req.AsTemplate {
		return because(&types.InvalidArgument{InvalidProperty: "path"}, "A virtual machine is registered from a .vmx file, a template from a .vmtx file.")
	}
	if f := r.place(v); f != nil {
		return f
	}
	if !r.reserved.home(r.at) {
		return &types.AlreadyExists{Name: r.req.Path}
	}
	d, f := r.vc.readVMX(r.at)
	if f != nil {
		return f
	}
	if r.config, r.guest, f = r.vc.decode(r.dc, r.at, d); f != nil {
		return f
	}
	r.location, _ = vmx.ParseUUID(d.Get("uuid.location"))
	r.asleep = d.Get(suspendKey) != ""
	if f := r.vc.decipher(r.config, r.host); f != nil {
		return f
	}
	return r.named()
}

// readVMX reads a configuration file. A missing one is NotFound, as the API's documentation of RegisterVM_Task says.
func (vc *VC) readVMX(at place) (*vmx.Dictionary, types.BaseMethodFault) {
	text, err := os.ReadFile(vc.lab.on(at))
	if err != nil {
		return nil, because(new(types.NotFound), "There is no file %s.", at.path)
	}
	d, err := vmx.Parse(text)
	if err != nil {
		return nil, because(&types.InvalidVmConfig{Property: "path"}, "%s: %s.", at.path, err)
	}
	return d, nil
}

// named checks the name, and the virtual hardware against the host.
func (r *registration) named() types.BaseMethodFault {
	if r.req.Name != "" {
		r.config.Name = r.req.Name
	}
	if !scenario.Stored(r.config.Name) {
		return &types.InvalidName{Name: r.config.Name, Entity: &r.folder.Self}
	}
	if f := r.vc.freeName(r.folder, r.config.Name); f != nil {
		return f
	}
	if !r.reserved.name(r.folder.Self.Value + "/" + r.config.Name) {
		return &types.DuplicateName{Name: r.config.Name, Object: r.folder.Self}
	}
	var version, name string
	r.vc.newCtx().WithLock(r.host, func() {
		name = r.host.Name
		if p := r.host.Summary.Config.Product; p != nil {
			version = p.Version
		}
	})
	if hw := hardwareVersion(r.config); hw > scenario.MaxHardware(version) {
		return because(&types.VirtualHardwareVersionNotSupported{HostName: name, Host: r.host.Self},
			"The virtual machine has version %d, ESXi %s knows versions up to %d.", hw, version, scenario.MaxHardware(version))
	}
	return nil
}

// freeName refuses a name that a folder has already.
func (vc *VC) freeName(folder *simulator.Folder, name string) types.BaseMethodFault {
	var children []types.ManagedObjectReference
	vc.newCtx().WithLock(folder, func() { children = slices.Clone(folder.ChildEntity) })
	for _, c := range children {
		if e, ok := vc.Map().Get(c).(mo.Entity); ok && vc.entityName(e) == name {
			return &types.DuplicateName{Name: name, Object: c}
		}
	}
	return nil
}

// place finds the host: the one that is named, or the first of the pool's cluster that has the volume mounted.
func (r *registration) place(v *volume) types.BaseMethodFault {
	if r.req.AsTemplate != (r.req.Pool == nil) {
		return because(&types.InvalidArgument{InvalidProperty: "pool"}, "A virtual machine needs a resource pool, a template has none.")
	}
	if r.req.AsTemplate && r.req.Host == nil {
		return because(&types.InvalidArgument{InvalidProperty: "host"}, "A template needs a host.")
	}
	var candidates []types.ManagedObjectReference
	if r.req.Pool != nil {
		_, pool := r.vc.Map().Get(*r.req.Pool).(*simulator.ResourcePool)
		c := r.vc.computeResource(*r.req.Pool)
		if !pool || c == nil {
			return &types.ManagedObjectNotFound{Obj: *r.req.Pool}
		}
		r.vc.newCtx().WithLock(r.vc.Map().Get(c.Self), func() { candidates = slices.Clone(c.Host) })
	}
	if r.req.Host != nil {
		if r.req.Pool != nil && !slices.Contains(candidates, *r.req.Host) {
			return because(&types.InvalidArgument{InvalidProperty: "host"}, "The host does not belong to the cluster of the resource pool.")
		}
		candidates = []types.ManagedObjectReference{*r.req.Host}
	}
	for _, c := range candidates {
		h, ok := r.vc.Map().Get(c).(*simulator.HostSystem)
		if !ok {
			return &types.ManagedObjectNotFound{Obj: c}
		}
		if r.vc.datacenterOf(c) != r.dc {
			return because(&types.InvalidArgument{InvalidProperty: "host"}, "The host is in another datacenter than the folder.")
		}
		if v.hosts[c] && r.vc.takesVMs(h) {
			r.host = h
			return nil
		}
	}
	if len(candidates) == 1 {
		if h, ok := r.vc.Map().Get(candidates[0]).(*simulator.HostSystem); ok && v.hosts[candidates[0]] {
			return because(new(types.InvalidState), "Host '%s' is in maintenance mode or not connected.", r.vc.entityName(h))
		}
	}
	return because(&types.InvalidDatastore{Datastore: &v.ref, Name: v.name}, "No host that could take the virtual machine has it mounted.")
}

// takesVMs reports whether a host takes VMs.
func (vc *VC) takesVMs(h *simulator.HostSystem) (ok bool) {
	vc.newCtx().WithLock(h, func() {
		ok = h.Runtime.ConnectionState == types.HostSystemConnectionStateConnected && !h.Runtime.InMaintenanceMode
	})
	return ok
}

// do puts the VM into the inventory. If its instance UUID is there already it gets another one, as vCenter does.
func (r *registration) do() (types.AnyType, types.BaseMethodFault) {
	twin := false
	for _, m := range r.vc.machines.all() {
		if c := m.config(); c != nil && c.InstanceUuid == r.config.InstanceUuid {
			twin = true
		}
	}
	renamed := r.req.Name != "" || twin
	if twin {
		r.config.InstanceUuid = r.vc.lab.ID.UUID("instance", r.at.String(), now().String())
	}
	r.config.Template = r.req.AsTemplate
	vm := r.vc.assemble(r.config, r.host.Self, r.req.Pool)
	m := r.vc.adopt(vm, r.folder, r.at, r.location, r.guest)
	m.loadSnapshots()
	m.edit(func(vm *simulator.VirtualMachine) { m.report(vm, false) })
	if r.asleep {
		m.wake()
	}
	if renamed {
		if f := m.save(); f != nil {
			r.vc.drop(m)
			return nil, f
		}
	}
	return m.self, nil
}

// UnregisterVM takes a VM out of the inventory; its files stay as they are.
func (o *vmObject) UnregisterVM(req *types.UnregisterVM) soap.HasFault {
	body := new(methods.UnregisterVMBody)
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		body.Fault_ = gone
		return body
	}
	if protected(m.config()) {
		body.Fault_ = fault(because(new(types.NotSupported), "The virtual machine is fault tolerant."))
		return body
	}
	self := types.ManagedObjectReference{Type: "Task", Value: "unregister-" + strings.ToLower(m.self.Value)}
	if f := m.take(self); f != nil {
		body.Fault_ = fault(f)
		return body
	}
	defer m.release()
	if p := m.power(); p == on {
		body.Fault_ = fault(wrongPower(p, off))
		return body
	}
	o.vc.lab.sleep(o.vc.lab.Scenario.Durations.Unregister)
	o.vc.drop(m)
	body.Res = new(types.UnregisterVMResponse)
	return body
}
