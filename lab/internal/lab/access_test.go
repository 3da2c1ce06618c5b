package lab

import (
	"context"
	"testing"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

func TestPermissionsAreSetReadAndTold(t *testing.T) {
	r, ctx := startMetadata(t, nil), context.Background()
	vm := r.machine(r.source, "app02")
	m := object.NewAuthorizationManager(r.source.Client.Client)
	id, err := m.AddRole(ctx, "backup", []string{"VirtualMachine.State.CreateSnapshot"})
	if err != nil {
		t.Fatal(err)
	}
	told := make(chan int, 16)
	watch, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	go func() {
		pc := property.DefaultCollector(r.source.Client.Client)
		_ = property.Wait(watch, pc, vm.Reference(), []string{"permission"}, func(pcs []types.PropertyChange) bool {
			for _, c := range pcs {
				if p, ok := c.Val.(types.ArrayOfPermission); ok && len(p.Permission) > 0 {
					told <- len(p.Permission)
					return len(p.Permission) == 2
				}
			}
			return false
		})
	}()
	dba := types.Permission{Principal: `LAB\DBA`, Group: true, RoleId: id, Propagate: true} // the case of letters does not matter
	if err := r.setPermissions(r.source, vm.Reference(), dba); err != nil {
		t.Fatal(err)
	}
	if err := r.setPermissions(r.source, vm.Reference(), types.Permission{Principal: `LAB\sato`, RoleId: -2}); err != nil {
		t.Fatal(err)
	}
	for n := 0; n != 2; {
		select {
		case n = <-told:
		case <-watch.Done():
			t.Fatal("the change was not told")
		}
	}
	list, err := m.RetrieveEntityPermissions(ctx, vm.Reference(), false)
	if err != nil || len(list) != 2 || list[0].Principal != `LAB\dba` || list[0].RoleId != id || !list[0].Propagate {
		t.Errorf("%+v, %v", list, err)
	}
	if list, _ = m.RetrieveEntityPermissions(ctx, vm.Reference(), true); len(list) != 4 {
		t.Errorf("with those of the root folder: %+v", list)
	}
	if list, _ = m.RetrieveAllPermissions(ctx); len(list) != 6 {
		t.Errorf("all: %+v", list)
	}
	if err := m.RemoveEntityPermission(ctx, vm.Reference(), `LAB\sato`, false); err != nil {
		t.Fatal(err)
	}
	refused[*types.NotFound](t, m.RemoveEntityPermission(ctx, vm.Reference(), `LAB\sato`, false))
	refused[*types.RemoveFailed](t, m.RemoveRole(ctx, id, true))
	if err := m.RemoveRole(ctx, id, false); err != nil {
		t.Fatal(err)
	}
	if s := r.state("source", "app02"); len(s.Permissions) != 0 {
		t.Errorf("a role went and left %+v", s.Permissions)
	}
}

func TestPermissionsThatVSphereRefuses(t *testing.T) {
	r, ctx := startMetadata(t, nil), context.Background()
	vm, root := r.machine(r.source, "app02").Reference(), r.source.ServiceContent.RootFolder
	m := object.NewAuthorizationManager(r.source.Client.Client)
	sato := `LAB\sato`
	refused[*types.UserNotFound](t, r.setPermissions(r.source, vm, types.Permission{Principal: `LAB\nobody`, RoleId: -2}))
	refused[*types.UserNotFound](t, r.setPermissions(r.source, vm, types.Permission{Principal: sato, Group: true, RoleId: -2}))
	refused[*types.NotFound](t, r.setPermissions(r.source, vm, types.Permission{Principal: sato, RoleId: 99}))
	refused[*types.InvalidArgument](t, r.setPermissions(r.source, vm, types.Permission{Principal: sato, RoleId: -4}))
	refused[*types.AuthMinimumAdminPermission](t, r.setPermissions(r.source, vm, types.Permission{Principal: adminGroup, Group: true, RoleId: -2}))
	refused[*types.ManagedObjectNotFound](t, r.setPermissions(r.source, types.ManagedObjectReference{Type: "VirtualMachine", Value: "vm-9999"}))
	if err := m.RemoveEntityPermission(ctx, root, "svc-migrate@vsphere.local", false); err != nil {
		t.Fatal(err)
	}
	refused[*types.NoPermission](t, m.RemoveEntityPermission(ctx, root, adminGroup, true)) // who just gave up every privilege
	_, err := object.NewAuthorizationManager(r.target.Client.Client).AddRole(ctx, "vm-operator", nil)
	refused[*types.AlreadyExists](t, err)
	_, err = object.NewAuthorizationManager(r.target.Client.Client).AddRole(ctx, "new", []string{"VirtualMachine.Fly"})
	refused[*types.InvalidArgument](t, err)
	refused[*types.AuthMinimumAdminPermission](t, func() error {
		m := object.NewAuthorizationManager(r.target.Client.Client)
		if err := m.RemoveEntityPermission(ctx, root, adminGroup, true); err != nil {
			return err
		}
		return m.RemoveEntityPermission(ctx, root, `VSPHERE.LOCAL\svc-migrate`, false)
	}())
}

func TestPrivilegesOfTheLogin(t *testing.T) {
	const lacking = "VirtualMachine.Inventory.Unregister"
	r, ctx := startMetadata(t, func(s *scenario.Scenario) { s.VCenters[0].Lacks = []string{lacking} }), context.Background()
	vm := r.machine(r.source, "app02").Reference()
	user := r.source.vc.Spec.Username
	ids := []string{lacking, "VirtualMachine.Inventory.Register"}
	m := object.NewAuthorizationManager(r.source.Client.Client)
	got, err := m.HasUserPrivilegeOnEntities(ctx, []types.ManagedObjectReference{vm}, user, ids)
	if err != nil || got[0].PrivAvailability[0].IsGranted || !got[0].PrivAvailability[1].IsGranted {
		t.Errorf("%+v, %v", got, err)
	}
	session, err := r.source.SessionManager.UserSession(ctx)
	if err != nil {
		t.Fatal(err)
	}
	one, err := m.HasPrivilegeOnEntity(ctx, vm, session.Key, ids)
	if err != nil || one[0] || !one[1] {
		t.Errorf("%v, %v", one, err)
	}
	all, err := m.FetchUserPrivilegeOnEntities(ctx, []types.ManagedObjectReference{vm}, user)
	if err != nil || len(all[0].Privileges) != len(scenario.Privileges)-1 {
		t.Errorf("%d of %d, %v", len(all[0].Privileges), len(scenario.Privileges), err)
	}
	_, err = m.FetchUserPrivilegeOnEntities(ctx, []types.ManagedObjectReference{vm}, "nobody@vsphere.local")
	refused[*types.UserNotFound](t, err)
	if got, _ := m.HasUserPrivilegeOnEntities(ctx, []types.ManagedObjectReference{vm}, `LAB\sato`, ids); got[0].PrivAvailability[1].IsGranted {
		t.Error("a user with no permission has a privilege")
	}
	f := refused[*types.NoPermission](t, r.machine(r.source, "app02").Unregister(ctx))
	if *f.Object != vm || f.PrivilegeId != lacking {
		t.Errorf("%+v", f)
	}
	// A permission on the VM itself counts instead of that on its parents.
	if err := r.setPermissions(r.source, vm, types.Permission{Principal: `VSPHERE.LOCAL\svc-migrate`, RoleId: adminRole}); err != nil {
		t.Fatal(err)
	}
	r.off(r.machine(r.source, "app02"))
	if err := r.machine(r.source, "app02").Unregister(ctx); err != nil {
		t.Error(err)
	}
	users, err := methods.RetrieveUserGroups(ctx, r.source.Client, &types.RetrieveUserGroups{
		This: *r.source.ServiceContent.UserDirectory, Domain: "LAB", SearchStr: "dba", ExactMatch: true, FindGroups: true,
	})
	if err != nil || len(users.Returnval) != 1 {
		t.Errorf("%v, %v", users, err)
	}
}
