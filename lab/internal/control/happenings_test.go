package control

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/chaos"
	"esxodus/lab/internal/lab"
)

type body map[string]any

// status sends a request and returns how it was answered.
func (f *fixture) status(path string, b body) int {
	f.t.Helper()
	var into map[string]any
	return f.call(http.MethodPost, path, b, &into)
}

func (f *fixture) state() lab.State {
	f.t.Helper()
	var s lab.State
	f.call(http.MethodGet, "/state", nil, &s)
	return s
}

func TestWhatIsWrong(t *testing.T) {
	f := open(t)
	for _, x := range []struct {
		path string
		body body
		want int
	}{
		{"/vcenters/nowhere/restart", nil, 404},
		{"/vcenters/source/restart", body{"seconds": -1}, 400},
		{"/hosts/nowhere/down", nil, 404},
		{"/hosts/esx60-1.lab/explode", nil, 404},
		{"/volumes/nothing/apd", nil, 404},
		{"/volumes/old-fc-01/apd", body{"hosts": []string{"nobody"}}, 404},
		{"/volumes/old-fc-01/apd", body{"hosts": []string{}}, 400},
		{"/volumes/old-fc-01/apd", body{"hosts": "some"}, 400},
		{"/volumes/old-fc-01/explode", nil, 404},
		{"/volumes/old-fc-01/fill", nil, 400},
		{"/volumes/nothing/fill", body{"freeGiB": 1}, 404},
		{"/vms/app01/poweroff", body{"site": "nowhere"}, 404},
		{"/vms/app01/dance", body{"site": "source"}, 404},
		{"/vms/app01/note", body{"site": "source"}, 400},
		{"/vms/app01/note", body{"place": "source"}, 400},
		{"/vms/app01/poweron", body{"site": "source"}, 409},
		{"/noise", body{"perMinute": 0}, 400},
		{"/noise", body{"perMinute": 1, "vcenter": "sauce"}, 400},
		{"/noise", body{"perMinute": 1, "kinds": []string{"hang"}}, 400},
	} {
		if got := f.status(x.path, x.body); got != x.want {
			t.Errorf("%s %v: %d, want %d", x.path, x.body, got, x.want)
		}
	}
}

func TestWhatHappens(t *testing.T) {
	f := open(t)
	ctx := context.Background()
	c := f.login()
	do := func(path string, b body) {
		t.Helper()
		if code := f.status(path, b); code != 200 {
			t.Fatalf("%s: %d", path, code)
		}
	}
	do("/vms/test02/poweron", body{"site": "source"})
	if p := f.state().VCenters["source"].VMs["test02"].Power; p != "poweredOn" {
		t.Errorf("test02 is %s", p)
	}
	do("/volumes/old-fc-02/fill", body{"freeGiB": 3})
	do("/volumes/old-fc-01/apd", body{"hosts": []string{"esx60-1.lab"}})
	for _, d := range f.state().VCenters["source"].Datastores {
		if d.Name == "old-fc-02" && d.Free != 3<<30 || d.Name == "old-fc-01" && slices.Contains(d.Hosts, "esx60-1.lab") {
			t.Errorf("%+v", d)
		}
	}
	do("/volumes/old-fc-01/ok", body{"hosts": "all"})
	do("/hosts/esx60-1.lab/down", nil)
	if h := f.state().VCenters["source"].Hosts[0]; h.Connection != "notResponding" {
		t.Errorf("%+v", h)
	}
	do("/hosts/esx60-1.lab/up", nil)
	do("/vcenters/source/restart", body{"seconds": 0.05})
	if _, err := methods.GetCurrentTime(ctx, c.Client); err == nil {
		t.Error("it answers at once")
	}
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := methods.GetCurrentTime(ctx, c.Client); fault.Is(err, &types.NotAuthenticated{}) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it did not come up again")
		}
	}
	var n lab.Counters
	if f.call(http.MethodGet, "/counters", nil, &n); n.Open["source"].Sessions != 0 || n.Open["source"].Connections == 0 || n.Writes.Total != 0 {
		t.Errorf("%+v %+v", n.Open, n.Writes)
	}
	var v []lab.Violation
	if f.call(http.MethodGet, "/violations", nil, &v); len(v) > 0 {
		t.Errorf("%+v", v)
	}
}

func TestNoise(t *testing.T) {
	f := open(t)
	ctx := context.Background()
	c := f.login()
	if code := f.status("/noise", body{"seed": 1, "perMinute": 6000, "kinds": []string{"http503"}}); code != http.StatusCreated {
		t.Fatalf("%d", code)
	}
	failed := false
	for end := time.Now().Add(5 * time.Second); !failed && time.Now().Before(end); {
		_, err := methods.GetCurrentTime(ctx, c.Client)
		failed = err != nil
	}
	var rules []chaos.Rule
	f.call(http.MethodGet, "/faults", nil, &rules)
	if !failed || len(rules) == 0 || !rules[0].Noise || rules[0].Action != chaos.HTTP503 {
		t.Errorf("failed: %v, %+v", failed, rules)
	}
	f.call(http.MethodDelete, "/faults", nil, &rules)
	time.Sleep(50 * time.Millisecond)
	if f.call(http.MethodGet, "/faults", nil, &rules); len(rules) > 0 {
		t.Errorf("%+v", rules)
	}
}
