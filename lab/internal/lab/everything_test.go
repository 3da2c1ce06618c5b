package lab

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/chaos"
)

// TestEverythingAtOnce lets everything happen that can, while clients move VMs about. Whatever comes of it, no VM is lost, runs
// twice, or has files left behind, and when it is over everything works again.
func TestEverythingAtOnce(t *testing.T) {
	r := start(t, nil)
	l, ctx := r.Lab(), context.Background()
	before := l.State()
	hosts := []string{"esx60-1.lab", "esx60-2.lab", "esx60-3.lab", "esx60-4.lab"}
	volumes := []string{"old-fc-01", "old-fc-02", "old-fc-03", "old-fc-04"}
	if _, err := l.Noise(chaos.Noise{Seed: 1, PerMinute: 3000}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	var work sync.WaitGroup
	repeat := func(seed uint64, pause time.Duration, do func(*rand.Rand)) {
		work.Go(func() {
			for random := rand.New(rand.NewPCG(seed, 0)); ctx.Err() == nil; time.Sleep(pause) {
				do(random)
			}
		})
	}
	repeat(1, 20*time.Millisecond, func(x *rand.Rand) {
		h := hosts[x.IntN(4)]
		r.outage(l.HostDown, h)
		time.Sleep(time.Duration(x.IntN(30)) * time.Millisecond)
		r.outage(l.HostUp, h)
	})
	repeat(2, 10*time.Millisecond, func(x *rand.Rand) {
		v, h := volumes[x.IntN(4)], hosts[x.IntN(4)]
		r.paths(v, []string{h}, true)
		time.Sleep(time.Duration(x.IntN(40)) * time.Millisecond)
		r.paths(v, nil, false)
	})
	repeat(3, 30*time.Millisecond, func(x *rand.Rand) {
		if _, err := l.Fill(volumes[x.IntN(4)], float64(x.IntN(400))); err != nil {
			t.Error(err)
		}
	})
	repeat(4, 400*time.Millisecond, func(*rand.Rand) {
		if err := r.Restart("source", 20*time.Millisecond); err != nil {
			t.Error(err)
		}
	})
	names := []string{"app01", "app02", "web01", "test01", "test02", "archive01", "mail01", "ci01"}
	repeat(5, 5*time.Millisecond, func(x *rand.Rand) {
		act := []string{"poweron", "poweroff", "snapshot", "removeSnapshots", "note"}[x.IntN(5)]
		if _, err := l.Person(names[x.IntN(len(names))], act, Act{Site: "source", Name: "s", Text: "t"}); err != nil {
			t.Error(err)
		}
	})
	for i, name := range names {
		ref := r.machine(r.source, name).Reference()
		repeat(uint64(10+i), 0, func(x *rand.Rand) {
			short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
			defer cancel()
			c, err := govmomi.NewClient(short, r.url("source"), true)
			if err != nil {
				return
			}
			for range 5 {
				spec := types.VirtualMachineRelocateSpec{}
				if x.IntN(2) == 0 {
					spec.Host = &types.ManagedObjectReference{Type: "HostSystem", Value: r.source.vc.HostNamed(hosts[x.IntN(4)]).Self.Value}
				}
				if x.IntN(2) == 0 {
					d := r.source.vc.volumeNamed(r.source.vc.datacenterOf(ref), volumes[x.IntN(4)]).ref
					spec.Datastore = &d
				}
				_, _ = methods.RelocateVM_Task(short, c.Client, &types.RelocateVM_Task{This: ref, Spec: spec})
				_, _ = methods.PowerOnVM_Task(short, c.Client, &types.PowerOnVM_Task{This: ref})
			}
		})
	}
	work.Wait()
	l.Rules.Clear()
	if err := r.SetReachable("source", true); err != nil {
		t.Fatal(err)
	}
	r.eventually("all is quiet", func() bool {
		for _, m := range r.source.vc.machines.all() {
			if m.hasCrashed() {
				return false
			}
		}
		return len(l.State().VCenters["source"].Tasks) == 0
	})
	after := l.State()
	if len(after.VCenters["source"].VMs) != len(before.VCenters["source"].VMs) || len(after.Unregistered) > 0 {
		t.Errorf("%d VMs, unregistered %v", len(after.VCenters["source"].VMs), after.Unregistered)
	}
	for name, s := range after.VCenters["source"].VMs {
		m := r.source.vc.machines.get(types.ManagedObjectReference{Type: "VirtualMachine", Value: s.MoRef})
		if held := l.locks.holder(m.place()) == m.owner(); held != (s.Power == "poweredOn") {
			t.Errorf("%s is %s, and its files are open: %v", name, s.Power, held)
		}
		if len(s.Disks) != len(before.VCenters["source"].VMs[name].Disks) || s.Connection != "" && s.Connection != "connected" {
			t.Errorf("%+v", s)
		}
	}
	if left := r.strays(volumes); len(left) > 0 {
		t.Errorf("directories of nobody: %v", left)
	}
	r.source = r.login("source")
	for _, v := range volumes {
		if _, err := l.Fill(v, 1e6); err != nil {
			t.Error(err)
		}
	}
	for _, name := range names {
		vm := r.machine(r.source, name)
		if r.state("source", name).Power != "poweredOn" {
			r.ok(vm.PowerOn(context.Background()))
		}
		r.ok(vm.RemoveAllSnapshot(context.Background(), nil))
	}
	r.clean()
}

// strays are the directories on volumes that hold no file of a registered VM.
func (r *running) strays(volumes []string) (out []string) {
	r.t.Helper()
	vc := r.source.vc
	used := map[place]bool{}
	for _, m := range vc.machines.all() {
		used[place{m.place().uuid, m.place().dir()}] = true
		disks, f := vc.disks(m.datacenter(), m.config())
		if f != nil {
			r.t.Error(describe(f))
		}
		for _, layers := range disks {
			for _, y := range layers {
				used[place{y.at.uuid, y.at.dir()}] = true
			}
		}
	}
	dc := all[*simulator.Datacenter](vc, "Datacenter")[0]
	for _, name := range volumes {
		v := vc.volumeNamed(dc, name)
		for _, dir := range r.Lab().entries(place{v.uuid, "."}) {
			if !used[place{v.uuid, dir}] {
				out = append(out, v.path(dir))
			}
		}
	}
	return out
}
