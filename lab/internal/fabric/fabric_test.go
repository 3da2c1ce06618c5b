package fabric

import (
	"errors"
	"slices"
	"testing"
)

const (
	old   = "naa.a1"
	blank = "naa.b1"
	uuid  = "5e000000-00000000-0000-000000000001"
)

func site(t *testing.T, unresolved ...string) (*Fabric, *[]Event) {
	t.Helper()
	var events []Event
	f := New(func(e Event) { events = append(events, e) })
	f.AddArray("vnx", []int64{1, 2})
	f.AddArray("power", []int64{3, 4})
	f.AddLUN(LUN{NAA: old, Array: "vnx", Size: 10 << 30, Volume: &Volume{UUID: uuid, Label: "old", Version: 5}}, unresolved...)
	f.AddLUN(LUN{NAA: blank, Array: "power", Size: 20 << 30})
	f.AddHost(Host{Name: "esx6", VMFS: 5, HBAs: []HBA{{"vmhba2", 11, 12}}})
	f.AddHost(Host{Name: "esx7", VMFS: 6, HBAs: []HBA{{"vmhba2", 21, 22}}})
	return f, &events
}

func devices(f *Fabric, host string) (out []string) {
	for _, d := range f.Devices(host) {
		s := d.NAA
		switch {
		case d.Detached:
			s += " detached"
		case !d.Usable:
			s += " dead"
		}
		out = append(out, s)
	}
	return out
}

func mounts(f *Fabric, host string) (out []string) {
	for _, m := range f.Mounts(host) {
		s := m.Label
		if !m.Mounted {
			s += " unmounted"
		} else if !m.Accessible {
			s += " dead"
		}
		out = append(out, s)
	}
	return out
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func refused(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got error %v, want %v", got, want)
	}
}

func TestAHostSeesAndMountsOnlyAtItsRescans(t *testing.T) {
	f, _ := site(t)
	refused(t, f.Present(old, "nobody"), ErrNotFound)
	refused(t, f.Present(old, "esx7"), nil)
	same(t, "presented, not rescanned", devices(f, "esx7"))
	f.RescanVMFS("esx7")
	same(t, "only VMFS rescanned", mounts(f, "esx7"))
	f.RescanHBA("esx7")
	same(t, "HBA rescanned", devices(f, "esx7"), old)
	same(t, "HBA rescanned", mounts(f, "esx7"))
	f.RescanVMFS("esx7")
	same(t, "both rescanned", mounts(f, "esx7"), "old")
	same(t, "another host", devices(f, "esx6"))
}

func TestAWithdrawnDeviceStaysWhileItsVolumeIsMounted(t *testing.T) {
	f, _ := site(t)
	_ = f.Present(old, "esx7")
	f.RescanHBA("esx7")
	f.RescanVMFS("esx7")
	_ = f.Withdraw(old, "esx7")
	same(t, "withdrawn", mounts(f, "esx7"), "old dead")
	f.RescanHBA("esx7")
	same(t, "still mounted", devices(f, "esx7"), old+" dead")
	refused(t, f.Unmount("esx7", uuid), nil)
	f.RescanHBA("esx7")
	same(t, "unmounted", devices(f, "esx7"))
	same(t, "unmounted", mounts(f, "esx7"))
}

func TestUnmountAndDetachOutliveRescans(t *testing.T) {
	f, _ := site(t)
	_ = f.Present(old, "esx6")
	f.RescanHBA("esx6")
	f.RescanVMFS("esx6")
	refused(t, f.Detach("esx6", old), ErrMounted)
	refused(t, f.Unmount("esx6", uuid), nil)
	refused(t, f.Unmount("esx6", uuid), ErrNotMounted)
	f.RescanVMFS("esx6")
	same(t, "unmounted", mounts(f, "esx6"), "old unmounted")
	refused(t, f.Detach("esx6", old), nil)
	refused(t, f.Detach("esx6", old), ErrDetached)
	f.RescanHBA("esx6")
	f.RescanVMFS("esx6")
	same(t, "detached", devices(f, "esx6"), old+" detached")
	same(t, "detached", mounts(f, "esx6"))
	refused(t, f.Mount("esx6", uuid), ErrDetached)
	refused(t, f.Attach("esx6", old), nil)
	refused(t, f.Attach("esx6", old), ErrAttached)
	refused(t, f.Mount("esx6", uuid), nil)
	refused(t, f.Mount("esx6", uuid), ErrMounted)
	same(t, "mounted again", mounts(f, "esx6"), "old")
}

func TestFormatting(t *testing.T) {
	f, events := site(t)
	for _, h := range []string{"esx6", "esx7"} {
		_, _ = f.Present(blank, h), f.Present(old, h)
	}
	v := Volume{UUID: "new", Label: "gold", Version: 6}
	_, err := f.Format("esx7", blank, v)
	refused(t, err, ErrNotFound)
	f.RescanHBA("esx6")
	f.RescanHBA("esx7")
	_, err = f.Format("esx6", blank, v)
	refused(t, err, ErrVersion)
	got, err := f.Format("esx7", blank, v)
	refused(t, err, nil)
	if got.Capacity != 20<<30 || got.NAA != blank {
		t.Errorf("the new volume is %+v", got)
	}
	_, err = f.Format("esx7", blank, v)
	refused(t, err, ErrMounted)
	f.RescanVMFS("esx6")
	same(t, "ESXi 6.0 and VMFS 6", mounts(f, "esx6"), "old")
	if len(*events) != 1 || (*events)[0].Original {
		t.Errorf("events %+v", *events)
	}
	refused(t, f.Erase("esx7", "new"), nil)
	// esx7 never rescanned VMFS: for it the old LUN is free, and vSphere formats it
	_, err = f.Format("esx7", old, Volume{UUID: "oops", Label: "oops", Version: 6})
	refused(t, err, nil)
	if e := (*events)[2]; e.Kind != Formatted || !e.Original || e.Before.UUID != uuid {
		t.Errorf("the formatting of an old LUN was reported as %+v", e)
	}
	same(t, "the old volume is lost", mounts(f, "esx6"))
}

func TestCopies(t *testing.T) {
	f, events := site(t, "esx7")
	for _, h := range []string{"esx6", "esx7"} {
		_ = f.Present(old, h)
		f.RescanHBA(h)
		f.RescanVMFS(h)
	}
	same(t, "held back", mounts(f, "esx7"))
	if c := f.Copies("esx7"); len(c) != 1 || c[0].UUID != uuid {
		t.Fatalf("copies %+v", c)
	}
	refused(t, f.Mount("esx7", uuid), ErrUnresolved)
	refused(t, f.ForceMount("esx6", uuid), ErrNotFound)
	refused(t, f.ForceMount("esx7", uuid), nil)
	if m := f.Mounts("esx7"); len(m) != 1 || !m[0].Forced || m[0].UUID != uuid {
		t.Fatalf("mounts %+v", m)
	}
	if f.Copies("esx7") != nil {
		t.Error("still held back")
	}
	refused(t, f.Unmount("esx7", uuid), nil)
	f.RescanHBA("esx7")
	v, err := f.Resignature("esx7", uuid, "other", "snap-old")
	refused(t, err, nil)
	if v.UUID != "other" || len(*events) != 1 || (*events)[0].Kind != Resignatured {
		t.Errorf("volume %+v, events %+v", v, *events)
	}
	same(t, "the original is gone", mounts(f, "esx6"))
}

func TestStatus(t *testing.T) {
	f, _ := site(t)
	_ = f.Present(old, "esx6")
	f.Boot("esx6", func(l LUN) bool { return l.Array == "power" })
	if s := f.Status(); len(s) != 2 || len(s[0].Seen) != 0 || !s[0].Original || s[1].Volume != nil {
		t.Errorf("status %+v", s)
	}
	f.Boot("esx6", func(l LUN) bool { return l.Array == "vnx" })
	f.RescanVMFS("esx6")
	same(t, "status", f.Status()[0].Mounted, "esx6")
	if f.Ports("vnx")[0] != 1 || f.HBAs("esx6")[0].WWPN != 11 {
		t.Error("ports and HBAs are not those that were added")
	}
	refused(t, f.Rename(uuid, "renamed"), nil)
	if v, ok := f.Volume(uuid); !ok || v.Label != "renamed" {
		t.Errorf("volume %+v", v)
	}
}

func TestZoningDecidesWhichPathsThereAre(t *testing.T) {
	f, _ := site(t)
	open := false
	f.SetZoning(func(a, b int64) bool { return a == 11 || open && a == 21 && b == 1 })
	for _, h := range []string{"esx6", "esx7"} {
		_ = f.Present(old, h)
		f.RescanHBA(h)
		f.RescanVMFS(h)
	}
	same(t, "zoned", mounts(f, "esx6"), "old")
	same(t, "not zoned", devices(f, "esx7"))
	open = true
	same(t, "zoned, not rescanned", devices(f, "esx7"))
	f.RescanHBA("esx7")
	f.RescanVMFS("esx7")
	same(t, "zoned and rescanned", mounts(f, "esx7"), "old")
	if p := f.Paths("esx7", "vnx"); len(p) != 1 || p[0].Port != 1 || !p[0].Open {
		t.Errorf("paths %v, want the one that is zoned", p)
	}
	open = false
	same(t, "closed", mounts(f, "esx7"), "old dead")
	if p := f.Paths("esx7", "vnx"); len(p) != 1 || p[0].Open {
		t.Errorf("paths %v, want a dead one", p)
	}
	_ = f.Unmount("esx7", uuid)
	f.RescanHBA("esx7")
	same(t, "closed, unmounted, rescanned", devices(f, "esx7"))
}
