package lab

import (
	"context"
	"testing"
	"time"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

func withoutHA(sc *scenario.Scenario) { sc.VCenters[0].Datacenters[0].Clusters[0].HA.Enabled = false }

func (r *running) outage(f func(string) error, name string) {
	r.t.Helper()
	if err := f(name); err != nil {
		r.t.Fatal(err)
	}
}

func (r *running) hostState(site, name string) HostState {
	for _, h := range r.Lab().State().VCenters[site].Hosts {
		if h.Name == name {
			return h
		}
	}
	r.t.Fatalf("there is no host %s", name)
	return HostState{}
}

func TestAHostThatDiesWithoutHA(t *testing.T) {
	r := start(t, withoutHA)
	ctx := context.Background()
	vm := r.machine(r.source, "test01") // on esx60-4, like test02
	r.outage(r.Lab().HostDown, "esx60-4.lab")
	r.outage(r.Lab().HostDown, "esx60-4.lab")
	if h := r.hostState("source", "esx60-4.lab"); h.Connection != "notResponding" {
		t.Errorf("%+v", h)
	}
	p := r.props(vm, "runtime", "recentTask")
	if p.Runtime.ConnectionState != types.VirtualMachineConnectionStateDisconnected || p.Runtime.PowerState != on {
		t.Errorf("vCenter shows %s, %s", p.Runtime.ConnectionState, p.Runtime.PowerState)
	}
	if h := r.Lab().locks.holder(r.source.vc.machines.get(vm.Reference()).place()); h != "" {
		t.Errorf("%s still has the files open", h)
	}
	fails[*types.HostNotConnected](r)(vm.PowerOff(ctx))
	fails[*types.HostNotConnected](r)(r.machine(r.source, "test02").PowerOn(ctx))
	refused[*types.HostNotConnected](t, vm.ShutdownGuest(ctx))
	refused[*types.HostNotConnected](t, r.machine(r.source, "test02").Unregister(ctx))
	for _, d := range r.Lab().State().VCenters["source"].Datastores {
		for _, h := range d.Hosts {
			if h == "esx60-4.lab" {
				t.Errorf("%s is accessible to a dead host", d.Name)
			}
		}
	}
	time.Sleep(20 * time.Millisecond)
	if h := r.state("source", "test01").Host; h != "esx60-4.lab" {
		t.Errorf("restarted on %s without HA", h)
	}
	r.outage(r.Lab().HostUp, "esx60-4.lab")
	p = r.props(vm, "runtime")
	if p.Runtime.ConnectionState != types.VirtualMachineConnectionStateConnected || p.Runtime.PowerState != off {
		t.Errorf("after the boot vCenter shows %s, %s", p.Runtime.ConnectionState, p.Runtime.PowerState)
	}
	r.ok(vm.PowerOn(ctx))
	if c := r.state("source", "test01").Clock; c.PowerCycles != 1 || c.OffSeconds <= 0 {
		t.Errorf("%+v", c)
	}
	if err := r.Lab().HostDown("nowhere"); err == nil {
		t.Error("an unknown host died")
	}
	r.clean()
}

func TestHARestarts(t *testing.T) {
	r := start(t, nil)
	vm := r.machine(r.source, "test01")
	r.outage(r.Lab().HostDown, "esx60-4.lab")
	r.eventually("it runs elsewhere", func() bool {
		s := r.state("source", "test01")
		return s.Host != "esx60-4.lab" && s.Power == "poweredOn" && s.Tools == "guestToolsRunning"
	})
	if s := r.state("source", "test01"); s.Clock.PowerCycles != 1 || s.Connection != "connected" && s.Connection != "" {
		t.Errorf("%+v", s)
	}
	for _, name := range []string{"db02", "dc01"} {
		r.eventually(name, func() bool { return r.state("source", name).Host != "esx60-4.lab" })
	}
	if s := r.state("source", "test02"); s.Host != "esx60-4.lab" || s.Power != "poweredOff" {
		t.Errorf("one that was off: %+v", s)
	}
	r.outage(r.Lab().HostUp, "esx60-4.lab")
	if s := r.state("source", "test01"); s.Power != "poweredOn" || r.props(vm, "runtime").Runtime.ConnectionState != types.VirtualMachineConnectionStateConnected {
		t.Errorf("after the boot: %+v", s)
	}
	r.ok(vm.PowerOff(context.Background()))
	r.clean()
}

func TestACopyOnAHostThatDies(t *testing.T) {
	for name, host := range map[string]string{"from": "esx60-4.lab", "to": "esx60-1.lab"} {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(sc *scenario.Scenario) { sc.Timescale = 10; withoutHA(sc) })
			ctx := context.Background()
			vm, ds, to := r.machine(r.source, "test01"), r.datastore(r.source, "old-fc-02"), r.host(r.source, "esx60-1.lab").Reference()
			task, err := vm.Relocate(ctx, types.VirtualMachineRelocateSpec{Datastore: &ds, Host: &to}, normal)
			if err != nil {
				t.Fatal(err)
			}
			r.eventually("progress", func() bool {
				tasks := r.Lab().State().VCenters["source"].Tasks
				return len(tasks) == 1 && tasks[0].Progress > 0
			})
			r.outage(r.Lab().HostDown, host)
			fails[*types.HostCommunication](r)(task, nil)
			s := r.state("source", "test01")
			if s.VMX != "[old-fc-04] test01/test01.vmx" || s.Host != "esx60-4.lab" {
				t.Errorf("%+v", s)
			}
			if left := r.Lab().entries(place{r.source.vc.volumeOf(ds).uuid, "test01"}); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			if crashed := r.source.vc.machines.get(vm.Reference()).hasCrashed(); crashed != (name == "from") {
				t.Errorf("crashed: %v", crashed)
			}
			r.clean()
		})
	}
}

// TestHostsDieAtAnyTime: whatever the moment, no VM runs twice, and none is left between two hosts.
func TestHostsDieAtAnyTime(t *testing.T) {
	r := start(t, nil)
	ctx := context.Background()
	hosts := []string{"esx60-1.lab", "esx60-2.lab", "esx60-3.lab", "esx60-4.lab"}
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			r.outage(r.Lab().HostDown, hosts[i%4])
			time.Sleep(time.Duration(i%7) * time.Millisecond)
			r.outage(r.Lab().HostUp, hosts[i%4])
		}
	}()
	vm := r.machine(r.source, "test01")
	for i := range 150 {
		to := r.host(r.source, hosts[i%4]).Reference()
		if res, err := methods.RelocateVM_Task(ctx, r.source.Client, &types.RelocateVM_Task{This: vm.Reference(), Spec: types.VirtualMachineRelocateSpec{Host: &to}}); err == nil {
			r.source.vc.await(res.Returnval)
		}
		if res, err := methods.PowerOnVM_Task(ctx, r.source.Client, &types.PowerOnVM_Task{This: vm.Reference()}); err == nil {
			r.source.vc.await(res.Returnval)
		}
	}
	close(stop)
	<-done
	r.eventually("all is quiet", func() bool {
		for _, m := range r.source.vc.machines.all() {
			if m.hasCrashed() {
				return false
			}
		}
		return len(r.Lab().State().VCenters["source"].Tasks) == 0
	})
	for name, s := range r.Lab().State().VCenters["source"].VMs {
		m := r.source.vc.machines.get(types.ManagedObjectReference{Type: "VirtualMachine", Value: s.MoRef})
		if held := r.Lab().locks.holder(m.place()) == m.owner(); held != (s.Power == "poweredOn") {
			t.Errorf("%s is %s, and its files are open: %v", name, s.Power, held)
		}
	}
	r.clean()
}
