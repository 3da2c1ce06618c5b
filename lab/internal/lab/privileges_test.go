package lab

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

func TestThePrivilegesOfTheTableExist(t *testing.T) {
	for kind, id := range moving {
		if !slices.Contains(scenario.Privileges, id) {
			t.Errorf("the move of a %s needs %s, which is no privilege", kind, id)
		}
	}
	for method, id := range required {
		if !slices.Contains(scenario.Privileges, id) {
			t.Errorf("%s needs %s, which is no privilege", method, id)
		}
	}
}

// harmless are the methods of the lab that count as writes and need no more than System.Read, or end in a refusal anyway.
var harmless = []string{"Reload", "DVSManagerLookupDvPortGroup", "CreateVM_Task", "ReconfigureCluster_Task"}

func TestEveryWriteOfTheLabNeedsAPrivilege(t *testing.T) {
	for o := range startMetadata(t, nil).source.vc.over {
		known := required[o.Method] != "" || required[o.Type+"."+o.Method] != "" || requiredBy[o.Method] != nil
		if writes(o.Method) && !known && !slices.Contains(harmless, o.Method) {
			t.Errorf("%s.%s is not in the table of privileges", o.Type, o.Method)
		}
	}
}

// Each call is refused exactly while its privilege is lacking, with the object that it is needed on.
func TestCallsThatNeedAPrivilege(t *testing.T) {
	ctx := context.Background()
	// vms, hosts and so on by name, in the vCenter of a case.
	type on struct {
		*running
		vm      *object.VirtualMachine
		folder  *object.Folder
		pool    *object.ResourcePool
		storage *object.HostStorageSystem
	}
	reconfigure := func(s types.VirtualMachineConfigSpec) func(on) error {
		return func(o on) error { _, err := o.vm.Reconfigure(ctx, s); return err }
	}
	vm := func(o on) types.ManagedObjectReference { return o.vm.Reference() }
	root := func(o on) types.ManagedObjectReference { return o.source.ServiceContent.RootFolder }
	for _, c := range []struct {
		privilege string
		object    func(on) types.ManagedObjectReference
		call      func(on) error
	}{
		{"VirtualMachine.Interact.PowerOff", vm, func(o on) error { return o.vm.ShutdownGuest(ctx) }},
		{"VirtualMachine.Interact.PowerOff", vm, func(o on) error { _, err := o.vm.PowerOff(ctx); return err }},
		{"VirtualMachine.Config.Annotation", vm, reconfigure(types.VirtualMachineConfigSpec{Annotation: "x"})},
		{"VirtualMachine.Config.AdvancedConfig", vm, reconfigure(types.VirtualMachineConfigSpec{ExtraConfig: []types.BaseOptionValue{&types.OptionValue{Key: "a", Value: "b"}}})},
		{"VirtualMachine.Config.EditDevice", vm, func(o on) error {
			devices, err := o.vm.Device(ctx)
			if err != nil {
				return err
			}
			card := devices.SelectByType((*types.VirtualEthernetCard)(nil))[0]
			_, err = o.vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{DeviceChange: []types.BaseVirtualDeviceConfigSpec{
				&types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationEdit, Device: card},
			}})
			return err
		}},
		{"Network.Assign", func(o on) types.ManagedObjectReference { return o.source.vc.portGroup("DMZ") }, func(o on) error {
			devices, err := o.vm.Device(ctx)
			if err != nil {
				return err
			}
			card := devices.SelectByType((*types.VirtualEthernetCard)(nil))[0]
			to := o.source.vc.portGroup("DMZ")
			card.GetVirtualDevice().Backing = &types.VirtualEthernetCardNetworkBackingInfo{
				VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: "DMZ"}, Network: &to,
			}
			_, err = o.vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{DeviceChange: []types.BaseVirtualDeviceConfigSpec{
				&types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationEdit, Device: card},
			}})
			return err
		}},
		{"VirtualMachine.Config.Rename", vm, func(o on) error { _, err := o.vm.Rename(ctx, "x"); return err }},
		{"VirtualMachine.Inventory.Move", vm, func(o on) error {
			_, err := o.folder.MoveInto(ctx, []types.ManagedObjectReference{o.vm.Reference()})
			return err
		}},
		{"Resource.HotMigrate", vm, func(o on) error {
			_, err := o.vm.Relocate(ctx, types.VirtualMachineRelocateSpec{}, types.VirtualMachineMovePriorityDefaultPriority)
			return err
		}},
		{"Datastore.AllocateSpace", func(o on) types.ManagedObjectReference { return o.datastore(o.source, "old-b") }, func(o on) error {
			ds := o.datastore(o.source, "old-b")
			_, err := o.vm.Relocate(ctx, types.VirtualMachineRelocateSpec{Datastore: &ds}, types.VirtualMachineMovePriorityDefaultPriority)
			return err
		}},
		{"Resource.AssignVMToPool", func(o on) types.ManagedObjectReference { return o.pool.Reference() }, func(o on) error {
			p := o.pool.Reference()
			_, err := o.vm.Relocate(ctx, types.VirtualMachineRelocateSpec{Pool: &p}, types.VirtualMachineMovePriorityDefaultPriority)
			return err
		}},
		{"VirtualMachine.Inventory.Register", func(o on) types.ManagedObjectReference { return o.folder.Reference() }, func(o on) error {
			_, err := o.folder.RegisterVM(ctx, "[old-a] none/none.vmx", "none", false, o.pool, nil)
			return err
		}},
		{"Folder.Create", func(o on) types.ManagedObjectReference { return o.folder.Reference() }, func(o on) error {
			_, err := o.folder.CreateFolder(ctx, "new")
			return err
		}},
		{"Host.Config.Storage", func(o on) types.ManagedObjectReference { return o.host(o.source, "esx60-1.lab").Reference() }, func(o on) error {
			return o.storage.RescanAllHba(ctx)
		}},
		{"Host.Inventory.EditCluster", func(o on) types.ManagedObjectReference { return o.cluster(o.source, "prod6").Reference() }, func(o on) error {
			_, err := o.cluster(o.source, "prod6").Reconfigure(ctx, &types.ClusterConfigSpecEx{}, true)
			return err
		}},
		{"Resource.CreatePool", func(o on) types.ManagedObjectReference { return o.pool.Reference() }, func(o on) error {
			_, err := o.pool.Create(ctx, "new", pooled(0, 0))
			return err
		}},
		{"Resource.EditPool", func(o on) types.ManagedObjectReference { return o.pool.Reference() }, func(o on) error {
			c := pooled(0, 0)
			return o.pool.UpdateConfig(ctx, "", &c)
		}},
		{"Global.SetCustomField", vm, func(o on) error {
			return object.NewCustomFieldsManager(o.source.Client.Client).Set(ctx, o.vm.Reference(), o.source.vc.fieldKey("owner"), "x")
		}},
		{"Global.ManageCustomFields", root, func(o on) error {
			_, err := object.NewCustomFieldsManager(o.source.Client.Client).Add(ctx, "new", "VirtualMachine", nil, nil)
			return err
		}},
		{"Authorization.ModifyPermissions", vm, func(o on) error {
			return o.setPermissions(o.source, o.vm.Reference(), types.Permission{Principal: `LAB\sato`, RoleId: -2})
		}},
		{"Authorization.ModifyRoles", root, func(o on) error {
			_, err := object.NewAuthorizationManager(o.source.Client.Client).AddRole(ctx, "new", nil)
			return err
		}},
		{"Datastore.Browse", func(o on) types.ManagedObjectReference { return o.datastore(o.source, "old-a") }, func(o on) error {
			b, err := object.NewDatastore(o.source.Client.Client, o.datastore(o.source, "old-a")).Browser(ctx)
			if err != nil {
				return err
			}
			_, err = b.SearchDatastore(ctx, "[old-a]", nil)
			return err
		}},
	} {
		t.Run(c.privilege, func(t *testing.T) {
			for _, lacks := range []bool{true, false} {
				r := startMetadata(t, func(s *scenario.Scenario) {
					if lacks {
						s.VCenters[0].Lacks = []string{c.privilege}
					}
				})
				folder, err := r.source.finder.Folder(ctx, "/tokyo6/vm/apps")
				if err != nil {
					t.Fatal(err)
				}
				o := on{running: r, vm: r.machine(r.source, "app02"), folder: folder, pool: r.pool(r.source, "prod6/Resources/test")}
				if o.storage, err = r.host(r.source, "esx60-1.lab").ConfigManager().StorageSystem(ctx); err != nil {
					t.Fatal(err)
				}
				err = c.call(o)
				if !lacks {
					if err != nil {
						t.Errorf("with the privilege: %v", err)
					}
					continue
				}
				if f := refused[*types.NoPermission](t, err); f.PrivilegeId != c.privilege || *f.Object != c.object(o) {
					t.Errorf("got %s on %v, want it on %v", f.PrivilegeId, f.Object, c.object(o))
				}
			}
		})
	}
}

func TestALoginThatHoldsFewPrivilegesHasNoOthers(t *testing.T) {
	r := startMetadata(t, func(s *scenario.Scenario) { s.VCenters[0].Holds = []string{"VirtualMachine.Interact.PowerOn"} })
	vm := r.machine(r.source, "app02")
	_, err := vm.PowerOff(context.Background())
	if f := refused[*types.NoPermission](t, err); f.PrivilegeId != "VirtualMachine.Interact.PowerOff" {
		t.Errorf("power off: %s", f.PrivilegeId)
	}
	held := r.source.vc.privileges(r.source.vc.user(), vm.Reference())
	if want := []string{"System.Anonymous", "System.Read", "System.View", "VirtualMachine.Interact.PowerOn"}; !slices.Equal(slices.Sorted(slices.Values(held)), want) {
		t.Errorf("it holds %v", held)
	}
}

func TestFilesOfDatastoresNeedBrowse(t *testing.T) {
	for _, lacks := range []bool{true, false} {
		r := startMetadata(t, func(s *scenario.Scenario) {
			if lacks {
				s.VCenters[0].Lacks = []string{"Datastore.Browse"}
			}
		})
		u := r.url("source")
		u.Path, u.RawQuery = "/folder/app01/app01.vmx", "dcPath=tokyo6&dsName=old-a"
		c := soap.NewClient(u, true)
		req, _ := http.NewRequest(http.MethodGet, u.String(), nil)
		req.SetBasicAuth(r.source.vc.Spec.Username, r.source.vc.Spec.Password)
		res, err := c.Client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if want := map[bool]int{true: 403, false: 200}[lacks]; res.StatusCode != want {
			t.Errorf("lacks %v: status %d, want %d", lacks, res.StatusCode, want)
		}
	}
}

// portGroup is the port group of that name.
func (vc *VC) portGroup(name string) types.ManagedObjectReference {
	for _, o := range vc.Map().All("Network") {
		if vc.entityName(o) == name {
			return o.Reference()
		}
	}
	return types.ManagedObjectReference{}
}
