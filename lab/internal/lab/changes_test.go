package lab

import (
	"testing"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

func TestChangesInsideProperties(t *testing.T) {
	before, after := new(mo.VirtualMachine), new(mo.VirtualMachine)
	before.Runtime.PowerState, after.Runtime.PowerState = "poweredOn", "poweredOff"
	before.Runtime.Question = &types.VirtualMachineQuestionInfo{Id: "1"}
	before.Config = &types.VirtualMachineConfigInfo{Annotation: "a", ExtraConfig: []types.BaseOptionValue{&types.OptionValue{Key: "k"}}}
	after.Config = &types.VirtualMachineConfigInfo{Annotation: "b"}
	after.Guest = &types.GuestInfo{ToolsRunningStatus: "guestToolsRunning"}
	got := map[string]any{}
	for _, c := range inside(before, after) {
		got[c.Name] = c.Val
	}
	for name, want := range map[string]any{
		"runtime.powerState": types.VirtualMachinePowerState("poweredOff"), "runtime.question": nil, "config.annotation": "b", "guest.toolsRunningStatus": "guestToolsRunning",
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s: got %v (%v), want %v", name, v, ok, want)
		}
	}
	if _, ok := got["config.extraConfig"]; !ok {
		t.Error("config.extraConfig is missing")
	}
	if _, ok := got["runtime.host"]; ok {
		t.Error("runtime.host has not changed")
	}
}
