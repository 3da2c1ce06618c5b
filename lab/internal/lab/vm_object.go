package lab

import (
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// vmObject is VirtualMachine.
type vmObject struct{ shadow }

func installVirtualMachine(vc *VC) {
	o := &vmObject{vc.shadow("VirtualMachine")}
	vc.redirect("VirtualMachine", o,
		"PowerOnVM_Task", "PowerOffVM_Task", "SuspendVM_Task", "ResetVM_Task", "ShutdownGuest", "RebootGuest", "AnswerVM",
		"UnregisterVM", "ReconfigVM_Task", "Rename_Task", "MarkAsTemplate", "MarkAsVirtualMachine", "RelocateVM_Task", "MigrateVM_Task",
		"CreateSnapshot_Task", "RemoveAllSnapshots_Task", "RefreshStorageInfo", "Reload", "SetCustomValue", "Destroy_Task",
		"UnmountToolsInstaller", "TurnOffFaultToleranceForVM_Task", "ConsolidateVMDisks_Task")
	// The simulator's own versions of these would change the managed object and leave the files behind.
	vc.refuse("VirtualMachine", "CloneVM_Task", "CreateSnapshotEx_Task", "RevertToCurrentSnapshot_Task", "CustomizeVM_Task", "UpgradeVM_Task",
		"PromoteDisks_Task", "StandbyGuest", "AttachDisk_Task", "DetachDisk_Task", "InstantClone_Task", "MountToolsInstaller",
		"CreateSecondaryVM_Task", "CreateSecondaryVMEx_Task", "DisableSecondaryVM_Task", "EnableSecondaryVM_Task", "MakePrimaryVM_Task",
		"TerminateFaultTolerantVM_Task", "CryptoUnlock_Task")
	vc.refuse("VirtualApp", "CloneVApp_Task", "CreateChildVM_Task", "Destroy_Task", "ExportVApp", "MoveIntoResourcePool", "PowerOffVApp_Task", "PowerOnVApp_Task",
		"SuspendVApp_Task", "unregisterVApp_Task", "UpdateVAppConfig", "UpdateLinkedChildren", "CreateVApp", "CreateResourcePool", "ImportVApp", "UpdateConfig", "DestroyChildren")
	vc.refuse("VirtualMachineSnapshot", "RevertToSnapshot_Task", "ExportSnapshot")
	vc.redirect("VirtualMachineSnapshot", &snapshotObject{vc.shadow("VirtualMachineSnapshot")}, "RemoveSnapshot_Task", "RenameSnapshot")
}

// exists reports whether the file that a ledger knows by its home is there.
func (l *Lab) exists(home string) bool {
	uuid, file, _ := strings.Cut(home, "/")
	return l.size(place{uuid, file}) >= 0
}

// DestroyTask would delete the VM's files. No part of a migration has a reason to, so the lab refuses it and notes the attempt.
func (o *vmObject) DestroyTask(req *types.Destroy_Task) soap.HasFault {
	body := new(methods.Destroy_TaskBody)
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		body.Fault_ = gone
		return body
	}
	o.vc.lab.Violate("files deleted", "Destroy_Task was called for %s at %s; the lab refused it", m.name(), o.vc.Spec.Name)
	body.Fault_ = fault(because(new(types.NotSupported), "The lab does not delete virtual machines."))
	return body
}

// RefreshStorageInfo brings sizes and layout up to date.
func (o *vmObject) RefreshStorageInfo(req *types.RefreshStorageInfo) soap.HasFault {
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		return &methods.RefreshStorageInfoBody{Fault_: gone}
	}
	m.refresh()
	return &methods.RefreshStorageInfoBody{Res: new(types.RefreshStorageInfoResponse)}
}

// refresh recomputes what follows from the configuration and the files.
func (m *machine) refresh() {
	dc, h := m.datacenter(), m.host()
	before := m.parents()
	d := m.vc.derive(m.config(), dc, h.Self)
	m.edit(func(vm *simulator.VirtualMachine) { d.apply(vm) })
	m.vc.relink(m.self, before, m.parents())
}

func (m *machine) parents() (out []types.ManagedObjectReference) {
	m.read(func(vm *simulator.VirtualMachine) { out = parents(vm) })
	return out
}

// Reload reads the .vmx again: what was edited in it wins.
func (o *vmObject) Reload(req *types.Reload) soap.HasFault {
	body := new(methods.ReloadBody)
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		body.Fault_ = gone
		return body
	}
	if f := m.reload(); f != nil {
		body.Fault_ = fault(f)
		return body
	}
	body.Res = new(types.ReloadResponse)
	return body
}

// RenameTask gives a VM another display name; its directory and files keep theirs until the next Storage vMotion.
func (o *vmObject) RenameTask(req *types.Rename_Task) soap.HasFault {
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		return &methods.Rename_TaskBody{Fault_: gone}
	}
	ref := m.run("VirtualMachine.rename", func(j *job) (types.AnyType, types.BaseMethodFault) {
		if f := j.sleep(m.vc.lab.Scenario.Durations.Other); f != nil {
			return nil, f
		}
		c := *m.config()
		if f := m.rename(&c, req.NewName); f != nil {
			return nil, f
		}
		return nil, m.replace(&c)
	})
	return &methods.Rename_TaskBody{Res: &types.Rename_TaskResponse{Returnval: ref}}
}

// rename checks and sets a new name.
func (m *machine) rename(c *types.VirtualMachineConfigInfo, name string) types.BaseMethodFault {
	if name == c.Name {
		return nil
	}
	if !scenario.Stored(name) {
		return &types.InvalidName{Name: name, Entity: &m.self}
	}
	if f := m.folder(); f != nil {
		if fault := m.vc.freeName(f, name); fault != nil {
			return fault
		}
	}
	c.Name = name
	return nil
}

// replace makes c the VM's configuration: in memory, in the properties that follow from it, and in its .vmx.
func (m *machine) replace(c *types.VirtualMachineConfigInfo) types.BaseMethodFault {
	at := m.place()
	if m.vc.lab.locks.others(at, m.owner()) {
		return locked(at)
	}
	modified(c)
	dc, h := m.datacenter(), m.host()
	before := m.parents()
	d := m.vc.derive(c, dc, h.Self)
	m.edit(func(vm *simulator.VirtualMachine) {
		running := vm.Guest.ToolsRunningStatus == string(types.VirtualMachineToolsRunningStatusGuestToolsRunning)
		vm.Config = c
		d.apply(vm)
		m.report(vm, running)
	})
	m.vc.relink(m.self, before, m.parents())
	return m.save()
}
