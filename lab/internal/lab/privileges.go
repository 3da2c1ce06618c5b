package lab

import (
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// What a call needs, from the vSphere API reference ("Required Privileges" of each method). Methods that are not listed need only
// System.Anonymous, System.View or System.Read, which every role of a login has.

// required are the privileges that a method needs on the object that is called. A method that means different things for different
// types stands here with its type.
var required = map[string]string{
	"PowerOnVM_Task":          "VirtualMachine.Interact.PowerOn",
	"PowerOffVM_Task":         "VirtualMachine.Interact.PowerOff",
	"ShutdownGuest":           "VirtualMachine.Interact.PowerOff",
	"SuspendVM_Task":          "VirtualMachine.Interact.Suspend",
	"ResetVM_Task":            "VirtualMachine.Interact.Reset",
	"RebootGuest":             "VirtualMachine.Interact.Reset",
	"AnswerVM":                "VirtualMachine.Interact.AnswerQuestion",
	"UnregisterVM":            "VirtualMachine.Inventory.Unregister",
	"MarkAsTemplate":          "VirtualMachine.Provisioning.MarkAsTemplate",
	"CreateSnapshot_Task":     "VirtualMachine.State.CreateSnapshot",
	"RemoveAllSnapshots_Task": "VirtualMachine.State.RemoveSnapshot",
	"RemoveSnapshot_Task":     "VirtualMachine.State.RemoveSnapshot",
	"RenameSnapshot":          "VirtualMachine.State.RenameSnapshot",
	"ConsolidateVMDisks_Task": "VirtualMachine.State.RemoveSnapshot",
	"UnmountToolsInstaller":   "VirtualMachine.Interact.ToolsInstall",

	"TurnOffFaultToleranceForVM_Task": "VirtualMachine.Interact.TurnOffFaultTolerance",
	"ConfigureDatastoreIORM_Task":     "Datastore.Config",

	"VirtualMachine.Rename_Task":                  "VirtualMachine.Config.Rename",
	"VirtualMachine.Destroy_Task":                 "VirtualMachine.Inventory.Delete",
	"ClusterComputeResource.Destroy_Task":         "Host.Inventory.DeleteCluster",
	"ComputeResource.Destroy_Task":                "Host.Inventory.RemoveHostFromCluster",
	"HostSystem.Destroy_Task":                     "Host.Inventory.RemoveHostFromCluster",
	"Datastore.Destroy_Task":                      "Datastore.Delete",
	"Datastore.Rename_Task":                       "Datastore.Rename",
	"StoragePod.Destroy_Task":                     "Folder.Delete",
	"VmwareDistributedVirtualSwitch.Destroy_Task": "DVSwitch.Delete",
	"VmwareDistributedVirtualSwitch.Rename_Task":  "DVSwitch.Modify",
	"DistributedVirtualPortgroup.Destroy_Task":    "DVPortgroup.Delete",
	"DistributedVirtualPortgroup.Rename_Task":     "DVPortgroup.Modify",

	"CreateFolder":       "Folder.Create",
	"CreateDatacenter":   "Datacenter.Create",
	"CreateCluster":      "Host.Inventory.CreateCluster",
	"CreateClusterEx":    "Host.Inventory.CreateCluster",
	"AddHost_Task":       "Host.Inventory.AddHostToCluster",
	"CreateResourcePool": "Resource.CreatePool",
	"AddCustomFieldDef":  "Global.ManageCustomFields",
	"SetCustomValue":     "Global.SetCustomField",
	"CancelTask":         "Global.CancelTask",

	"ReconfigureComputeResource_Task": "Host.Inventory.EditCluster",
	"ConfigureEvcMode_Task":           "Host.Inventory.EditCluster",
	"DisableEvcMode_Task":             "Host.Inventory.EditCluster",

	"AddAuthorizationRole":    "Authorization.ModifyRoles",
	"UpdateAuthorizationRole": "Authorization.ModifyRoles",
	"RemoveAuthorizationRole": "Authorization.ModifyRoles",

	"RescanAllHba":                         "Host.Config.Storage",
	"RescanHba":                            "Host.Config.Storage",
	"RescanVmfs":                           "Host.Config.Storage",
	"MountVmfsVolume":                      "Host.Config.Storage",
	"UnmountVmfsVolume":                    "Host.Config.Storage",
	"CreateVmfsDatastore":                  "Host.Config.Storage",
	"CreateNasDatastore":                   "Host.Config.Storage",
	"QueryAvailableDisksForVmfs":           "Host.Config.Storage",
	"QueryVmfsDatastoreCreateOptions":      "Host.Config.Storage",
	"AttachScsiLun":                        "Host.Config.Storage",
	"DetachScsiLun":                        "Host.Config.Storage",
	"CreateLocalDatastore":                 "Host.Config.Storage",
	"RemoveDatastore":                      "Host.Config.Storage",
	"UnmountForceMountedVmfsVolume":        "Host.Config.Storage",
	"ResolveMultipleUnresolvedVmfsVolumes": "Host.Config.Storage",
	"ResignatureUnresolvedVmfsVolume_Task": "Host.Config.Storage",
	"DestroyDatastore":                     "Datastore.Delete",
	"RenameDatastore":                      "Datastore.Rename",
	"ConfigureStorageDrsForPod_Task":       "StoragePod.Config",

	"EnterMaintenanceMode_Task": "Host.Config.Maintenance",
	"ExitMaintenanceMode_Task":  "Host.Config.Maintenance",
	"DisconnectHost_Task":       "Host.Config.Connection",
	"ReconnectHost_Task":        "Host.Config.Connection",
	"RebootHost_Task":           "Host.Config.Maintenance",
	"AddStandaloneHost_Task":    "Host.Inventory.AddStandaloneHost",

	"UpdateNetworkConfig":             "Host.Config.Network",
	"UpdatePortGroup":                 "Host.Config.Network",
	"RemovePortGroup":                 "Host.Config.Network",
	"UpdateVirtualSwitch":             "Host.Config.Network",
	"RemoveVirtualSwitch":             "Host.Config.Network",
	"UpdateVirtualNic":                "Host.Config.Network",
	"RemoveVirtualNic":                "Host.Config.Network",
	"SelectVnicForNicType":            "Host.Config.Network",
	"DeselectVnicForNicType":          "Host.Config.Network",
	"ReconfigureDvs_Task":             "DVSwitch.Modify",
	"ChangeLockdownMode":              "Host.Config.Settings",
	"UpdateAssignedLicense":           "Global.Licenses",
	"RemoveAssignedLicense":           "Global.Licenses",
	"EnableNetworkResourceManagement": "DVSwitch.ResourceManagement",
	"AddDVPortgroup_Task":             "DVPortgroup.Create",
	"CreateDVPortgroup_Task":          "DVPortgroup.Create",
	"ReconfigureDVPortgroup_Task":     "DVPortgroup.Modify",
	"AddPortGroup":                    "Host.Config.Network",
	"AddVirtualSwitch":                "Host.Config.Network",
	"AddVirtualNic":                   "Host.Config.Network",
}

// requiredBy are the methods whose needs depend on the request.
var requiredBy = map[string]func(vc *VC, this types.ManagedObjectReference, req any) []need{
	"ReconfigVM_Task": func(vc *VC, this types.ManagedObjectReference, req any) []need {
		return vc.reconfigureNeeds(this, &req.(*types.ReconfigVM_Task).Spec)
	},
	"RelocateVM_Task": func(vc *VC, this types.ManagedObjectReference, req any) []need {
		return vc.relocateNeeds(this, &req.(*types.RelocateVM_Task).Spec)
	},
	"MigrateVM_Task": func(vc *VC, this types.ManagedObjectReference, req any) []need {
		x := req.(*types.MigrateVM_Task)
		return vc.relocateNeeds(this, &types.VirtualMachineRelocateSpec{Host: x.Host, Pool: x.Pool})
	},
	"ExecuteSoap": func(vc *VC, this types.ManagedObjectReference, _ any) []need {
		x, ok := get[*executer](vc, this)
		if !ok {
			return nil
		}
		return []need{{"Host.Config.Maintenance", x.host}, {"Host.Config.Patch", x.host}} // assumed: see lab/README.md
	},
	"RegisterVM_Task": func(_ *VC, this types.ManagedObjectReference, req any) []need {
		needs := []need{{"VirtualMachine.Inventory.Register", this}}
		if p := req.(*types.RegisterVM_Task).Pool; p != nil {
			needs = append(needs, need{"Resource.AssignVMToPool", *p})
		}
		return needs
	},
	"MoveIntoFolder_Task": func(_ *VC, this types.ManagedObjectReference, req any) (out []need) {
		for _, ref := range req.(*types.MoveIntoFolder_Task).List {
			if id := moving[ref.Type]; id != "" {
				out = append(out, need{id, ref}, need{id, this})
			}
		}
		return out
	},
	"MarkAsVirtualMachine": func(_ *VC, this types.ManagedObjectReference, req any) []need {
		return []need{{"VirtualMachine.Provisioning.MarkAsVM", this}, {"Resource.AssignVMToPool", req.(*types.MarkAsVirtualMachine).Pool}}
	},
	"UpdateConfig": func(_ *VC, this types.ManagedObjectReference, req any) (out []need) {
		if x := req.(*types.UpdateConfig); x.Config != nil {
			out = append(out, need{"Resource.EditPool", this})
		} else if x.Name != "" {
			out = append(out, need{"Resource.RenamePool", this})
		}
		return out
	},
	"CreateDVS_Task": func(_ *VC, this types.ManagedObjectReference, req any) []need {
		needs := []need{{"DVSwitch.Create", this}}
		for _, h := range req.(*types.CreateDVS_Task).Spec.ConfigSpec.GetDVSConfigSpec().Host {
			needs = append(needs, need{"DVSwitch.HostOp", this}, need{"Host.Config.Network", h.Host})
		}
		return needs
	},
	"SetField": func(_ *VC, _ types.ManagedObjectReference, req any) []need {
		return []need{{"Global.SetCustomField", req.(*types.SetField).Entity}}
	},
	"SetEntityPermissions": func(_ *VC, _ types.ManagedObjectReference, req any) []need {
		return []need{{"Authorization.ModifyPermissions", req.(*types.SetEntityPermissions).Entity}}
	},
	"ResetEntityPermissions": func(_ *VC, _ types.ManagedObjectReference, req any) []need {
		return []need{{"Authorization.ModifyPermissions", req.(*types.ResetEntityPermissions).Entity}}
	},
	"RemoveEntityPermission": func(_ *VC, _ types.ManagedObjectReference, req any) []need {
		return []need{{"Authorization.ModifyPermissions", req.(*types.RemoveEntityPermission).Entity}}
	},
	"SearchDatastore_Task": func(vc *VC, _ types.ManagedObjectReference, req any) []need {
		return vc.browseNeeds(req.(*types.SearchDatastore_Task).DatastorePath)
	},
	"SearchDatastoreSubFolders_Task": func(vc *VC, _ types.ManagedObjectReference, req any) []need {
		return vc.browseNeeds(req.(*types.SearchDatastoreSubFolders_Task).DatastorePath)
	},
}

// moving are the privileges that a move to another folder needs, on what moves and on the folder.
var moving = map[string]string{
	"VirtualMachine": "VirtualMachine.Inventory.Move", "Folder": "Folder.Move", "Datacenter": "Datacenter.Move", "Datastore": "Datastore.Move",
	"Network": "Network.Move", "DistributedVirtualPortgroup": "Network.Move", "VmwareDistributedVirtualSwitch": "DVSwitch.Move",
	"HostSystem": "Host.Inventory.MoveHost", "ClusterComputeResource": "Host.Inventory.MoveCluster",
}

// reconfigureNeeds follows what a change of a VM's configuration touches.
func (vc *VC) reconfigureNeeds(vm types.ManagedObjectReference, s *types.VirtualMachineConfigSpec) (out []need) {
	const config = "VirtualMachine.Config."
	for _, x := range []struct {
		touched   bool
		privilege string
	}{
		{s.Name != "", config + "Rename"},
		{s.Annotation != "", config + "Annotation"},
		{s.NumCPUs != 0 || s.NumCoresPerSocket != nil, config + "CPUCount"},
		{s.MemoryMB != 0, config + "Memory"},
		{len(s.ExtraConfig) > 0, config + "AdvancedConfig"},
		{s.CpuAllocation != nil || s.MemoryAllocation != nil || s.CpuAffinity != nil, config + "Resource"},
		{s.ChangeTrackingEnabled != nil, config + "ChangeTracking"},
		{s.SwapPlacement != "", config + "SwapPlacement"},
		{s.Tools != nil || s.Flags != nil || s.BootOptions != nil || s.GuestId != "", config + "Settings"},
	} {
		if x.touched {
			out = append(out, need{x.privilege, vm})
		}
	}
	for _, d := range s.DeviceChange {
		c := d.GetVirtualDeviceConfigSpec()
		_, disk := c.Device.(*types.VirtualDisk)
		switch {
		case c.Operation == types.VirtualDeviceConfigSpecOperationEdit:
			out = append(out, need{config + "EditDevice", vm})
			out = append(out, vc.networkNeeds(vm, c.Device)...)
		case disk && c.Operation == types.VirtualDeviceConfigSpecOperationRemove:
			out = append(out, need{config + "RemoveDisk", vm})
		case disk && c.FileOperation == "":
			out = append(out, need{config + "AddExistingDisk", vm})
		case disk:
			out = append(out, need{config + "AddNewDisk", vm})
		default:
			out = append(out, need{config + "AddRemoveDevice", vm})
			out = append(out, vc.networkNeeds(vm, c.Device)...)
		}
	}
	return out
}

// networkNeeds is Network.Assign on the network that a card comes to.
func (vc *VC) networkNeeds(vm types.ManagedObjectReference, d types.BaseVirtualDevice) []need {
	network := func(b types.BaseVirtualDeviceBackingInfo) types.ManagedObjectReference {
		switch x := b.(type) {
		case *types.VirtualEthernetCardNetworkBackingInfo:
			return deref(x.Network)
		case *types.VirtualEthernetCardDistributedVirtualPortBackingInfo:
			return types.ManagedObjectReference{Type: "DistributedVirtualPortgroup", Value: x.Port.PortgroupKey}
		}
		return types.ManagedObjectReference{}
	}
	to := network(d.GetVirtualDevice().Backing)
	if m := vc.machines.get(vm); m != nil {
		for _, old := range m.config().Hardware.Device {
			if old.GetVirtualDevice().Key == d.GetVirtualDevice().Key && network(old.GetVirtualDevice().Backing) == to {
				return nil
			}
		}
	}
	if vc.Map().Get(to) == nil {
		return nil
	}
	return []need{{"Network.Assign", to}}
}

// relocateNeeds follows what a relocation inside this vCenter changes.
func (vc *VC) relocateNeeds(vm types.ManagedObjectReference, s *types.VirtualMachineRelocateSpec) (out []need) {
	m := vc.machines.get(vm)
	if m == nil {
		return nil
	}
	privilege := "Resource.ColdMigrate"
	if m.power() == on {
		privilege = "Resource.HotMigrate"
	}
	out = append(out, need{privilege, vm})
	if s.Service != nil { // what is named there belongs to the other vCenter
		return out
	}
	var has []types.ManagedObjectReference
	var pool, folder types.ManagedObjectReference
	m.read(func(x *simulator.VirtualMachine) {
		has, pool, folder = x.Datastore, deref(x.ResourcePool), deref(x.Parent)
	})
	to := map[types.ManagedObjectReference]bool{deref(s.Datastore): true}
	for _, d := range s.Disk {
		to[d.Datastore] = true
	}
	for ds := range to {
		if vc.Map().Get(ds) != nil && !slices.Contains(has, ds) {
			out = append(out, need{"Datastore.AllocateSpace", ds})
		}
	}
	if s.Pool != nil && *s.Pool != pool {
		out = append(out, need{"Resource.AssignVMToPool", *s.Pool})
	}
	if s.Folder != nil && *s.Folder != folder {
		out = append(out, need{"VirtualMachine.Inventory.Move", vm}, need{"VirtualMachine.Inventory.Move", *s.Folder})
	}
	for _, d := range s.DeviceChange {
		out = append(out, vc.networkNeeds(vm, d.GetVirtualDeviceConfigSpec().Device)...)
	}
	return out
}

// browseNeeds is Datastore.Browse on every datastore of the name in a path: one per datacenter that has it.
func (vc *VC) browseNeeds(path string) (out []need) {
	for _, ds := range all[*simulator.Datastore](vc, "Datastore") {
		if name, ok := datastoreIn(path); ok && vc.nameOf(ds) == name {
			out = append(out, need{"Datastore.Browse", ds.Self})
		}
	}
	return out
}
