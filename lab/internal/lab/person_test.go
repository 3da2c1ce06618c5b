package lab

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/chaos"
)

func TestAPerson(t *testing.T) {
	r := start(t, nil)
	l := r.Lab()
	does := func(vm, act string, a Act) types.BaseMethodFault {
		t.Helper()
		a.Site = "source"
		f, err := l.Person(vm, act, a)
		if err != nil {
			t.Fatalf("%s %s: %v", act, vm, err)
		}
		return f
	}
	must := func(vm, act string, a Act) {
		t.Helper()
		if f := does(vm, act, a); f != nil {
			t.Fatalf("%s %s: %s", act, vm, describe(f))
		}
	}
	r.arm(chaos.Rule{Method: "*", Action: chaos.Drop}) // a person is not the client that is tested
	before := l.Counters().Writes.Total
	must("test02", "poweron", Act{})
	if f, ok := does("test02", "poweron", Act{}).(*types.InvalidPowerState); !ok || f.ExistingState != on {
		t.Errorf("a second time: %+v", f)
	}
	if _, ok := does("test02", "unregister", Act{}).(*types.InvalidPowerState); !ok {
		t.Error("unregistered while it runs")
	}
	must("test02", "poweroff", Act{})
	must("test02", "snapshot", Act{Name: "before"})
	if s := r.state("source", "test02").Snapshots; !slices.Equal(s, []string{"before"}) {
		t.Errorf("%v", s)
	}
	must("test02", "removeSnapshots", Act{})
	must("test02", "note", Act{Text: "mine"})
	must("test02", "move", Act{Folder: "apps/web"})
	must("test02", "rename", Act{To: "renamed"})
	s := r.state("source", "renamed")
	if s.Notes != "mine" || s.Folder != "apps/web" || len(s.Snapshots) > 0 || s.Power != "poweredOff" {
		t.Errorf("%+v", s)
	}
	if f, ok := does("renamed", "rename", Act{To: "web01"}).(*types.DuplicateName); !ok {
		t.Errorf("a taken name: %+v", f)
	}
	must("renamed", "unregister", Act{})
	if un := l.State().Unregistered; len(un) != 1 {
		t.Errorf("%v", un)
	}
	if n := l.Counters().Writes.Total; n != before {
		t.Errorf("%d writes of a client were counted", n-before)
	}
	for _, x := range []struct{ vm, act, site, folder string }{
		{"nobody", "poweron", "source", ""}, {"app01", "dance", "source", ""}, {"app01", "poweron", "nowhere", ""}, {"app01", "move", "source", "no/such"},
	} {
		if _, err := l.Person(x.vm, x.act, Act{Site: x.site, Folder: x.folder}); !errors.Is(err, ErrUnknown) {
			t.Errorf("%+v: %v", x, err)
		}
	}
	if _, err := l.Person("app01", "note", Act{Site: "source"}); err == nil || errors.Is(err, ErrUnknown) {
		t.Errorf("a note without text: %v", err)
	}
	r.clean()
}

func TestMoveIntoFolder(t *testing.T) {
	r := start(t, nil)
	ctx := context.Background()
	folder := func(path string) *object.Folder {
		t.Helper()
		f, err := r.source.finder.Folder(ctx, "/tokyo6/vm/"+path)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	web, vm := folder("apps/web"), r.machine(r.source, "test02")
	r.ok(web.MoveInto(ctx, []types.ManagedObjectReference{vm.Reference()}))
	if s := r.state("source", "test02"); s.Folder != "apps/web" {
		t.Errorf("%+v", s)
	}
	r.ok(vm.Rename(ctx, "app01"))
	fails[*types.DuplicateName](r)(folder("apps").MoveInto(ctx, []types.ManagedObjectReference{vm.Reference()}))
	hosts, err := r.source.finder.Folder(ctx, "/tokyo6/host")
	if err != nil {
		t.Fatal(err)
	}
	fails[*types.NotSupported](r)(hosts.MoveInto(ctx, []types.ManagedObjectReference{vm.Reference()}))
	r.ok(folder("infra").MoveInto(ctx, []types.ManagedObjectReference{web.Reference()}))
	if s := r.state("source", "web01"); s.Folder != "infra/web" {
		t.Errorf("%+v", s)
	}
	r.clean()
}
