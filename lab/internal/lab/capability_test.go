package lab

import (
	"context"
	"slices"
	"testing"

	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

func TestAVCenterSaysWhichEVCModesItKnows(t *testing.T) {
	r := start(t, nil)
	known := func(c *vim25.Client, mode string) bool {
		var si mo.ServiceInstance
		if err := property.DefaultCollector(c).RetrieveOne(context.Background(), vim25.ServiceInstance, []string{"capability.supportedEVCMode"}, &si); err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(si.Capability.SupportedEVCMode, func(m types.EVCMode) bool { return m.Key == mode })
	}
	for _, x := range []struct {
		mode           string
		source, target bool
	}{{"intel-ivybridge", true, true}, {"intel-cascadelake", false, true}, {"intel-pentium", false, false}} {
		if s, n := known(r.source.Client.Client, x.mode), known(r.target.Client.Client, x.mode); s != x.source || n != x.target {
			t.Errorf("%s: source %v, target %v", x.mode, s, n)
		}
	}
}
