package lab

import (
	"reflect"
	"testing"

	"github.com/vmware/govmomi/vim25/types"
)

func TestWhatAVersionOfTheAPIKnows(t *testing.T) {
	old, now := &api{version: "6.0"}, &api{version: "7.0.3.0"}
	for _, c := range []struct {
		kind, path string
		old, now   bool
	}{
		{"VirtualMachine", "config.hardware.device", true, true},
		{"VirtualMachine", "config.hardware.device[4000].backing", true, true},
		{"VirtualMachine", "config.vmxConfigChecksum", true, true},
		{"VirtualMachine", "config.keyId", false, true}, // 6.5
		{"VirtualMachine", "runtime.bootTime", true, true},
		{"VirtualMachine", "name.nonsense", false, false},
		{"VirtualMachine", "nonsense", false, false},
		{"VirtualMachine", "", false, false},
		{"HostSystem", "runtime.inQuarantineMode", false, true},
		{"HostSystem", "hardware.dvxClasses", false, false}, // 8.0
		{"ClusterComputeResource", "summary.currentEVCModeKey", true, true},
		{"SomethingElse", "whatever", true, true},
	} {
		if got := old.knows(c.kind, c.path); got != c.old {
			t.Errorf("6.0, %s.%s: %t", c.kind, c.path, got)
		}
		if got := now.knows(c.kind, c.path); got != c.now {
			t.Errorf("7.0.3, %s.%s: %t", c.kind, c.path, got)
		}
	}
}

func TestCleaningLeavesTheOriginalAlone(t *testing.T) {
	yes := types.NewBool(true)
	info := &types.HostConfigInfo{DeploymentInfo: &types.HostDeploymentInfo{BootedFromStatelessCache: yes}, LockdownMode: "lockdownDisabled"}
	list := []types.HostConfigInfo{{}, *info}
	v, changed := (&api{version: "6.0"}).clean(reflect.ValueOf(list))
	if !changed {
		t.Fatal("nothing was cleaned")
	}
	if got := v.Interface().([]types.HostConfigInfo); got[1].DeploymentInfo != nil || got[1].LockdownMode != "lockdownDisabled" {
		t.Errorf("cleaned: %+v", got[1])
	}
	if info.DeploymentInfo.BootedFromStatelessCache != yes {
		t.Error("the original was changed")
	}
	if _, changed := (&api{version: "9.0.0.0"}).clean(reflect.ValueOf(list)); changed {
		t.Error("a new version was cleaned")
	}
}
