package control

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/chaos"
	"esxodus/lab/internal/lab"
	"esxodus/lab/internal/scenario"
)

type fixture struct {
	t      *testing.T
	server *lab.Server
	port   *httptest.Server
}

func open(t *testing.T) *fixture {
	t.Helper()
	sc, err := scenario.Load("../../scenarios/lab.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sc.Timescale = 5000
	s, err := lab.Start(sc, true)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t, s, httptest.NewServer(Handler(s))}
	t.Cleanup(func() {
		f.port.Close()
		_ = s.Close()
	})
	return f
}

// call sends a request to the control port and decodes the answer.
func (f *fixture) call(method, path string, body, into any) int {
	f.t.Helper()
	b, _ := json.Marshal(body)
	req, err := http.NewRequestWithContext(context.Background(), method, f.port.URL+path, bytes.NewReader(b))
	if err != nil {
		f.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		f.t.Fatal(err)
	}
	return res.StatusCode
}

func (f *fixture) url(user *url.Userinfo) *url.URL {
	return &url.URL{Scheme: "https", Host: f.server.Address("source"), Path: "/sdk", User: user}
}

func (f *fixture) login() *govmomi.Client {
	f.t.Helper()
	c, err := govmomi.NewClient(context.Background(), f.url(url.UserPassword("svc-migrate@vsphere.local", "old-secret")), true)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

func (f *fixture) vm(c *govmomi.Client, name string) *object.VirtualMachine {
	f.t.Helper()
	ref := types.ManagedObjectReference{Type: "VirtualMachine", Value: f.server.Lab().State().VCenters["source"].VMs[name].MoRef}
	return object.NewVirtualMachine(c.Client, ref)
}

func (f *fixture) arm(r chaos.Rule) {
	f.t.Helper()
	var got chaos.Rule
	if code := f.call(http.MethodPost, "/faults", r, &got); code != http.StatusCreated || got.ID == 0 {
		f.t.Fatalf("%d %+v", code, got)
	}
}

func TestEveryRequestNeedsASession(t *testing.T) {
	f := open(t)
	ctx := context.Background()
	if _, err := govmomi.NewClient(ctx, f.url(url.UserPassword("svc-migrate@vsphere.local", "wrong")), true); !fault.Is(err, &types.InvalidLogin{}) {
		t.Errorf("a wrong password: %v", err)
	}
	c, err := govmomi.NewClient(ctx, f.url(nil), true)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.vm(c, "test02").PowerOn(ctx)
	if !fault.Is(err, &types.NotAuthenticated{}) {
		t.Errorf("power on without a session: %v", err)
	}
	_, err = methods.RetrievePropertiesEx(ctx, c.Client, &types.RetrievePropertiesEx{This: c.ServiceContent.PropertyCollector, SpecSet: []types.PropertyFilterSpec{{
		PropSet: []types.PropertySpec{{Type: "Folder", PathSet: []string{"name"}}}, ObjectSet: []types.ObjectSpec{{Obj: c.ServiceContent.RootFolder}},
	}}})
	if !fault.Is(err, &types.NotAuthenticated{}) {
		t.Errorf("properties without a session: %v", err)
	}
	for path, want := range map[string]int{"/folder/app01/app01.vmx?dcPath=tokyo6&dsName=old-fc-01": 401, "/about": 404, "/nfc/x": 404, "/guestFile": 404} {
		res, err := c.Client.Client.Get("https://" + f.server.Address("source") + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("GET %s: %d, want %d", path, res.StatusCode, want)
		}
	}
}

func TestFaultRules(t *testing.T) {
	f := open(t)
	ctx := context.Background()
	c := f.login()
	vm := f.vm(c, "test02")
	f.arm(chaos.Rule{VCenter: "source", Method: "PowerOnVM_Task", Object: "test02", Skip: 0, Count: 1, Action: chaos.TaskFault, Fault: "NoCompatibleHost", Message: "no host today"})
	task, err := vm.PowerOn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Wait(ctx); err == nil || !strings.Contains(err.Error(), "no host today") {
		t.Errorf("task fault: %v", err)
	}
	f.arm(chaos.Rule{Method: "UnregisterVM", Count: 1, Action: chaos.Fault, Fault: "TaskInProgress", Message: "busy"})
	if err := vm.Unregister(ctx); !fault.Is(err, &types.TaskInProgress{}) || !strings.Contains(err.Error(), "busy") {
		t.Errorf("fault: %v", err)
	}
	f.arm(chaos.Rule{Method: "UnregisterVM", Count: 1, Action: chaos.DropAfter})
	if err := vm.Unregister(ctx); err == nil {
		t.Error("the answer was not lost")
	}
	if _, there := f.server.Lab().State().VCenters["source"].VMs["test02"]; there {
		t.Error("dropAfter did not do the work")
	}
	for _, action := range []string{chaos.Drop, chaos.HTTP503} {
		f.arm(chaos.Rule{Method: "CurrentTime", Count: 1, Action: action})
		if _, err := methods.GetCurrentTime(ctx, c.Client); err == nil {
			t.Errorf("%s: an answer came", action)
		}
	}
	f.arm(chaos.Rule{Method: "CurrentTime", Count: 1, Action: chaos.Delay, Seconds: 0.05})
	began := time.Now()
	if _, err := methods.GetCurrentTime(ctx, c.Client); err != nil || time.Since(began) < 50*time.Millisecond {
		t.Errorf("delay: %v after %s", err, time.Since(began))
	}
	f.arm(chaos.Rule{Method: "CurrentTime", Action: chaos.Hang})
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := methods.GetCurrentTime(short, c.Client); err == nil {
		t.Error("hang: an answer came")
	}
	var rules []chaos.Rule
	f.call(http.MethodGet, "/faults", nil, &rules)
	if len(rules) != 7 || rules[0].Hits != 1 || rules[6].Hits != 1 {
		t.Errorf("%+v", rules)
	}
	f.call(http.MethodDelete, "/faults", nil, &rules)
	if _, err := methods.GetCurrentTime(ctx, c.Client); err != nil {
		t.Errorf("after DELETE: %v", err)
	}
	f.arm(chaos.Rule{Method: "CurrentTime", Count: 1, Action: chaos.Expire})
	if _, err := methods.GetCurrentTime(ctx, c.Client); !fault.Is(err, &types.NotAuthenticated{}) {
		t.Errorf("expire: %v", err)
	}
	if _, err := methods.GetCurrentTime(ctx, c.Client); !fault.Is(err, &types.NotAuthenticated{}) {
		t.Errorf("an expired session came back: %v", err)
	}
	var refused map[string]string
	for _, bad := range []any{map[string]string{"method": "X", "action": "explode"}, map[string]string{"methode": "X"}, map[string]string{"vcenter": "sauce", "method": "*", "action": "drop"}} {
		if code := f.call(http.MethodPost, "/faults", bad, &refused); code != http.StatusBadRequest || refused["error"] == "" {
			t.Errorf("%v: %d %v", bad, code, refused)
		}
	}
}

func TestCountersStateResetAndReach(t *testing.T) {
	f := open(t)
	ctx := context.Background()
	c := f.login()
	task, err := f.vm(c, "test02").PowerOn(ctx)
	if err == nil {
		err = task.Wait(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	var n lab.Counters
	f.call(http.MethodGet, "/counters", nil, &n)
	if n.Writes.Total != 1 || n.Writes.ByMethod["PowerOnVM_Task"] != 1 || n.Calls["source"]["Login"] != 1 || n.Sessions["source"] != 1 {
		t.Errorf("%+v", n)
	}
	var s lab.State
	f.call(http.MethodGet, "/state", nil, &s)
	vm := s.VCenters["source"].VMs["test02"]
	if vm.Power != "poweredOn" || vm.Clock.PowerCycles != 1 || len(s.LUNs) != 6 || len(s.VCenters["source"].Hosts) != 4 || len(s.VCenters["target"].Hosts) != 0 {
		t.Errorf("%+v", s)
	}
	var ok map[string]string
	if code := f.call(http.MethodPost, "/vcenters/source/down", nil, &ok); code != 200 {
		t.Errorf("down: %d %v", code, ok)
	}
	if _, err := methods.GetCurrentTime(ctx, c.Client); err == nil {
		t.Error("reachable while down")
	}
	f.call(http.MethodPost, "/vcenters/source/up", nil, &ok)
	if _, err := methods.GetCurrentTime(ctx, c.Client); err != nil {
		t.Errorf("after up: %v", err)
	}
	address := f.server.Address("source")
	if code := f.call(http.MethodPost, "/reset", nil, &ok); code != 200 || f.server.Address("source") != address {
		t.Errorf("reset: %d %v", code, ok)
	}
	if _, err := methods.GetCurrentTime(ctx, c.Client); !fault.Is(err, &types.NotAuthenticated{}) {
		t.Errorf("a session survived the reset: %v", err)
	}
	f.call(http.MethodGet, "/state", nil, &s)
	if p := s.VCenters["source"].VMs["test02"].Power; p != "poweredOff" {
		t.Errorf("after the reset test02 is %s", p)
	}
	var v []lab.Violation
	if f.call(http.MethodGet, "/violations", nil, &v); len(v) != 0 {
		t.Errorf("%+v", v)
	}
}

func TestAnExchangedCertificateEndsEveryConnectionAndSession(t *testing.T) {
	f := open(t)
	ctx := context.Background()
	c := f.login()
	before := f.server.Endpoints().VCenters["source"]
	var now lab.VCenterEndpoint
	if code := f.call(http.MethodPost, "/vcenters/source/certificate", nil, &now); code != http.StatusOK {
		t.Fatalf("%d %+v", code, now)
	}
	if now.Thumbprint == before.Thumbprint || now.ThumbprintSHA256 == before.ThumbprintSHA256 || now.Host != before.Host {
		t.Errorf("%+v", now)
	}
	peer, err := tls.Dial("tcp", now.Host, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // to look at what it shows
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(peer.ConnectionState().PeerCertificates[0].Raw)
	_ = peer.Close()
	if shown := fmt.Sprintf("%X", sum[:]); shown != strings.ReplaceAll(now.ThumbprintSHA256, ":", "") {
		t.Errorf("it shows %s, and says %s", shown, now.ThumbprintSHA256)
	}
	if _, err := f.vm(c, "test02").PowerOn(ctx); !fault.Is(err, &types.NotAuthenticated{}) {
		t.Errorf("with the session of before: %v", err)
	}
	if other := f.server.Endpoints().VCenters["target"].Thumbprint; other == now.Thumbprint {
		t.Error("both vCenters have one certificate")
	}
	var ok map[string]string
	f.call(http.MethodPost, "/reset", nil, &ok)
	if again := f.server.Endpoints().VCenters["source"].Thumbprint; again != before.Thumbprint {
		t.Errorf("after the reset: %s", again)
	}
	if code := f.call(http.MethodPost, "/vcenters/sauce/certificate", nil, &ok); code != http.StatusNotFound {
		t.Errorf("of a vCenter that is not there: %d", code)
	}
}

func TestTheRecordOfOperations(t *testing.T) {
	f := open(t)
	ctx := context.Background()
	c := f.login()
	host, err := find.NewFinder(c.Client).HostSystem(ctx, "/tokyo6/host/prod6/esx60-1.lab")
	if err != nil {
		t.Fatal(err)
	}
	ref := host.Reference()
	task, err := f.vm(c, "test02").Relocate(ctx, types.VirtualMachineRelocateSpec{Host: &ref}, types.VirtualMachineMovePriorityDefaultPriority)
	if err == nil {
		err = task.Wait(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	type report struct {
		Operations []struct {
			VM, Kind, VCenter string
			Start, End        time.Time
			Hosts             map[string]int
		}
		Peaks map[string]map[string]int
		Over  []string
	}
	var got report
	f.call(http.MethodGet, "/operations", nil, &got)
	if len(got.Operations) != 1 || got.Operations[0].VM != "test02" || got.Operations[0].Kind != "cold" || got.Operations[0].End.Before(got.Operations[0].Start) ||
		got.Operations[0].Hosts["source/esx60-1.lab"] != 1 || got.Peaks["hosts"]["source/esx60-4.lab"] != 1 || got.Over == nil {
		t.Errorf("%+v", got)
	}
	var ok map[string]string
	f.call(http.MethodPost, "/reset", nil, &ok)
	got = report{}
	if f.call(http.MethodGet, "/operations", nil, &got); len(got.Operations) != 0 || len(got.Peaks["hosts"]) != 0 {
		t.Errorf("after the reset: %+v", got)
	}
}
