package lab

import (
	"context"
	"strings"
	"testing"
	"time"

	vimfault "github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

func TestPowerStatesAndGuests(t *testing.T) {
	r := start(t, func(sc *scenario.Scenario) { sc.Timescale = 500 })
	ctx := context.Background()
	app := r.machine(r.source, "app01")

	f := fails[*types.InvalidPowerState](r)(app.PowerOn(ctx))
	if f.ExistingState != on || f.RequestedState != on {
		t.Errorf("%+v", f)
	}
	f = fails[*types.InvalidPowerState](r)(r.machine(r.source, "test02").PowerOff(ctx))
	if f.ExistingState != off || f.RequestedState != off {
		t.Errorf("%+v", f)
	}
	refused[*types.InvalidPowerState](t, app.Unregister(ctx))
	refused[*types.ToolsUnavailable](t, r.machine(r.source, "appliance01").ShutdownGuest(ctx))
	refused[*types.InvalidPowerState](t, r.machine(r.source, "test02").ShutdownGuest(ctx))
	fails[*types.NotSupported](r)(r.machine(r.source, "tmpl-rhel6").PowerOn(ctx))

	if g := r.props(app, "guest").Guest; g.IpAddress != "10.20.0.11" || g.ToolsStatus != types.VirtualMachineToolsStatusToolsOk || g.GuestState != "running" {
		t.Errorf("guest %+v", g)
	}
	if err := app.ShutdownGuest(ctx); err != nil {
		t.Fatal(err)
	}
	r.eventually("app01 off", func() bool { return r.state("source", "app01").Power == "poweredOff" })
	if g := r.props(app, "guest", "runtime").Guest; g.IpAddress != "" || g.ToolsRunningStatus != "guestToolsNotRunning" {
		t.Errorf("guest of a VM that is off: %+v", g)
	}
	r.ok(app.PowerOn(ctx))
	if s := r.state("source", "app01"); s.Tools != "guestToolsNotRunning" || s.Clock.PowerCycles != 1 {
		t.Errorf("just powered on: %+v", s)
	}
	r.eventually("app01 boots", func() bool { return r.state("source", "app01").Tools == "guestToolsRunning" })
	s := r.state("source", "app01").Clock
	if s.DownSecondsScaled < 100 || s.OffSeconds <= 0 || s.DownSeconds < s.OffSeconds {
		t.Errorf("45 s of shutdown, 6 s of power on and 50 s of boot make %+v", s)
	}

	legacy := r.machine(r.source, "legacy01")
	if err := legacy.ShutdownGuest(ctx); err != nil {
		t.Fatal(err)
	}
	time.Sleep(r.Lab().scale(2 * time.Minute))
	if s := r.state("source", "legacy01"); s.Power != "poweredOn" || s.Clock.DownSeconds != 0 {
		t.Errorf("a guest that ignores a shutdown: %+v", s)
	}
	r.ok(legacy.PowerOff(ctx))
	r.ok(legacy.PowerOn(ctx))
	r.ok(legacy.Reset(ctx))
	r.ok(legacy.Suspend(ctx))
	fails[*types.InvalidPowerState](r)(legacy.Suspend(ctx))
	r.ok(legacy.PowerOn(ctx))
	if s := r.state("source", "legacy01"); s.Tools != "guestToolsRunning" {
		t.Errorf("a resumed guest runs at once: %+v", s)
	}
	r.clean()
}

// refused checks the fault of a call that starts no task.
func refused[F types.BaseMethodFault](t *testing.T, err error) F {
	t.Helper()
	var f F
	if _, ok := vimfault.As(err, &f); !ok {
		t.Fatalf("got %v, want %T", err, f)
	}
	if m := err.Error(); strings.HasPrefix(m, "ServerFaultCode: ") && len(strings.Fields(m)) < 4 {
		t.Errorf("message %q is not for humans", m)
	}
	return f
}

func TestOneTaskAtATime(t *testing.T) {
	r := start(t, func(sc *scenario.Scenario) { sc.Timescale = 20 })
	ctx := context.Background()
	vm := r.machine(r.source, "test02")
	first, err := vm.PowerOn(ctx) // 300 ms
	if err != nil {
		t.Fatal(err)
	}
	r.eventually("busy", func() bool { return r.state("source", "test02").Busy })
	fails[*types.TaskInProgress](r)(vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{Annotation: "x"}))
	if err := first.Cancel(ctx); err != nil {
		t.Fatal(err)
	}
	fails[*types.RequestCanceled](r)(first, nil)
	refused[*types.InvalidState](t, first.Cancel(ctx))
	if s := r.state("source", "test02"); s.Power != "poweredOff" || s.Busy {
		t.Errorf("after the cancellation: %+v", s)
	}
	r.ok(vm.PowerOn(ctx))
	r.clean()
}

func TestQuestion(t *testing.T) {
	r := start(t, nil)
	cluster, folder := r.build()
	ctx := context.Background()
	pool, err := cluster.ResourcePool(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for name, check := range map[string]func(*object.VirtualMachine, *VMState){
		"app02": func(vm *object.VirtualMachine, before *VMState) {
			task, err := vm.PowerOn(ctx)
			r.answer(vm, answerCancel)
			fails[*types.InvalidState](r)(task, err)
			task, err = vm.PowerOn(ctx)
			refused[*types.InvalidArgument](t, vm.Answer(ctx, "nonsense", answerMoved))
			r.answer(vm, answerCopied)
			r.ok(task, err)
			if s := r.state("target", "app02"); s.BIOSUUID == before.BIOSUUID || same(s.MACs, before.MACs) || s.Question != "" {
				t.Errorf("'copied' kept the identity: %+v", s)
			}
			r.off(vm)
			r.ok(vm.PowerOn(ctx)) // asked once
		},
		"dc01": func(vm *object.VirtualMachine, before *VMState) {
			r.ok(vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{ExtraConfig: []types.BaseOptionValue{&types.OptionValue{Key: "uuid.action", Value: "keep"}}}))
			r.ok(vm.PowerOn(ctx))
			if s := r.state("target", "dc01"); s.BIOSUUID != before.BIOSUUID {
				t.Errorf("'keep' changed the identity: %+v", s)
			}
		},
		"test01": func(vm *object.VirtualMachine, _ *VMState) {
			task, err := vm.PowerOn(ctx)
			r.eventually("question", func() bool { return r.state("target", "test01").Question == "msg.uuid.altered" })
			if err := task.Cancel(ctx); err != nil {
				t.Fatal(err)
			}
			fails[*types.RequestCanceled](r)(task, err)
		},
	} {
		before := r.state("source", name)
		old := r.machine(r.source, name)
		r.off(old)
		if err := old.Unregister(ctx); err != nil {
			t.Fatal(err)
		}
		r.ok(folder.RegisterVM(ctx, before.VMX, "", false, pool, nil))
		check(r.machine(r.target, name), &before)
	}
	r.clean()
}
