package lab

import (
	"context"
	"testing"
	"time"

	"github.com/vmware/govmomi/license"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

func TestLicences(t *testing.T) {
	b := start(t, func(s *scenario.Scenario) {
		s.VCenters[1].Hosts[1].License = &scenario.License{Name: "Evaluation Mode", Evaluation: true, Expired: true}
	}).site("esx70-1.lab")
	m, err := license.NewManager(b.target.Client.Client).AssignmentManager(b.ctx)
	b.must(err)
	found, err := m.QueryAssigned(b.ctx, "")
	b.must(err)
	if len(found) != 2 || found[0].EntityId != b.target.vc.InstanceUUID() || found[1].EntityDisplayName != "esx70-1.lab" {
		t.Fatalf("%+v", found)
	}
	if found[1].AssignedLicense.EditionKey != "eval" || len(found[1].AssignedLicense.Properties) != len(scenario.Features) {
		t.Errorf("%+v", found[1].AssignedLicense)
	}
	left, ok := found[1].Properties[0].Value.(types.LicenseManagerEvaluationInfo)
	if !ok || left.Properties[1].Key != "expirationHours" || left.Properties[1].Value.(int64) != 60*24-1 {
		t.Errorf("%+v", found[1].Properties)
	}
	task, err := b.cluster.AddHost(b.ctx, b.connectSpec("esx70-2.lab"), true, nil, nil)
	fails[*types.LicenseExpired](b.running)(task, err)
	refuses[*types.NotSupported](t, func() error { _, err := m.Update(b.ctx, found[1].EntityId, "X", ""); return err }())
}

func TestAHostWithoutALicenceThatHoldsRunsNothingMore(t *testing.T) {
	r := start(t, func(s *scenario.Scenario) {
		for i := range s.VCenters[0].Hosts {
			s.VCenters[0].Hosts[i].License = &scenario.License{Name: "Enterprise", Expired: true}
		}
	})
	vm := r.machine(r.source, "test02")
	task, err := vm.PowerOn(context.Background())
	fails[*types.LicenseExpired](r)(task, err)
}

func TestTheTimeOfAHost(t *testing.T) {
	b := start(t, func(s *scenario.Scenario) {
		h := s.VCenters[1].Hosts
		h[0].ClockSkew, h[0].NTP = time.Hour, []string{"ntp1.lab"}
		h[1].NTP, h[1].NTPStopped = []string{"ntp1.lab"}, true
	}).site("esx70-1.lab", "esx70-2.lab")
	for i, want := range []struct {
		ahead   time.Duration
		running bool
	}{{time.Hour, true}, {0, false}} {
		var h mo.HostSystem
		b.must(b.hosts[i].Properties(b.ctx, b.hosts[i].Reference(), nil, &h))
		now, err := methods.QueryDateTime(b.ctx, b.target.Client.Client, &types.QueryDateTime{This: *h.ConfigManager.DateTimeSystem})
		b.must(err)
		if d := time.Until(now.Returnval) - want.ahead; d.Abs() > 10*time.Second {
			t.Errorf("host %d is %s ahead", i+1, time.Until(now.Returnval))
		}
		if len(h.Config.DateTimeInfo.NtpConfig.Server) != 1 {
			t.Errorf("%+v", h.Config.DateTimeInfo)
		}
		for _, s := range h.Config.Service.Service {
			if s.Key == "ntpd" && s.Running != want.running {
				t.Errorf("host %d: %+v", i+1, s)
			}
		}
	}
}
