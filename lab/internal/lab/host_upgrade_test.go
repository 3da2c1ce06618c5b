package lab

import (
	"context"
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// Bodies of the two calls that the API's description lacks, as a client sends them.
type retrieveCall struct {
	Req *retrieveExecuter         `xml:"urn:vim25 RetrieveManagedMethodExecuter,omitempty"`
	Res *retrieveExecuterResponse `xml:"urn:vim25 RetrieveManagedMethodExecuterResponse,omitempty"`
	F   *soap.Fault               `xml:"http://schemas.xmlsoap.org/soap/envelope/ Fault,omitempty"`
}

func (b *retrieveCall) Fault() *soap.Fault { return b.F }

type executeCall struct {
	Req *executeSoap         `xml:"urn:vim25 ExecuteSoap,omitempty"`
	Res *executeSoapResponse `xml:"urn:vim25 ExecuteSoapResponse,omitempty"`
	F   *soap.Fault          `xml:"http://schemas.xmlsoap.org/soap/envelope/ Fault,omitempty"`
}

func (b *executeCall) Fault() *soap.Fault { return b.F }

const rolling = "../../scenarios/lab-rolling.yaml"

func startRolling(t *testing.T, change func(*scenario.Scenario)) (*running, *client) {
	t.Helper()
	r := serve(t, rolling, change)
	return r, r.login("site")
}

// esxcli runs a command such as "software profile get" and returns its answer and the fault's detail.
func (r *running) esxcli(c *client, h *object.HostSystem, command string, args ...string) (string, string) {
	r.t.Helper()
	get := &retrieveCall{Req: &retrieveExecuter{This: h.Reference()}}
	if err := c.Client.RoundTrip(context.Background(), get, get); err != nil {
		r.t.Fatal(err)
	}
	words := strings.Fields(command)
	run := &executeCall{Req: &executeSoap{
		This: get.Res.Returnval, Version: "urn:vim25/5.0", Method: "vim.EsxCLI." + strings.Join(words, "."),
		Moid: "ha-cli-handler-" + strings.Join(words[:len(words)-1], "-"),
	}}
	for _, a := range args {
		name, value, _ := strings.Cut(a, "=")
		run.Req.Argument = append(run.Req.Argument, soapArgument{name, "<" + name + ">" + value + "</" + name + ">"})
	}
	if err := c.Client.RoundTrip(context.Background(), run, run); err != nil {
		r.t.Fatal(err)
	}
	out := run.Res.Returnval
	if out.Fault != nil {
		return "", out.Fault.FaultMsg + out.Fault.FaultDetail
	}
	if err := xml.Unmarshal([]byte(out.Response), new(struct{})); err != nil {
		r.t.Errorf("%s: %v", out.Response, err)
	}
	return out.Response, ""
}

const (
	depot   = "depot=/vmfs/volumes/iso/esxi/VMware-ESXi-7.0U3n-21930508-depot.zip"
	profile = "profile=ESXi-7.0U3n-21930508-standard"
)

func (r *running) reboot(h *object.HostSystem, force bool) types.BaseMethodFault {
	r.t.Helper()
	res, err := methods.RebootHost_Task(context.Background(), h.Client(), &types.RebootHost_Task{This: h.Reference(), Force: force})
	if err != nil {
		r.t.Fatal(err)
	}
	return r.do(object.NewTask(h.Client(), res.Returnval), nil)
}

func TestAHostIsUpgraded(t *testing.T) {
	r, c := startRolling(t, nil)
	ctx, h := context.Background(), r.host(c, "esx1.lab")
	if out, f := r.esxcli(c, h, "software sources profile list", depot); f != "" || strings.Count(out, "<Name>") != 2 {
		t.Errorf("%s %s", out, f)
	}
	for args, want := range map[string]string{
		depot + "x " + profile:  "MetadataDownloadError",
		depot + " profile=none": "NoMatchError",
		depot + " " + profile:   "MaintenanceModeError",
	} {
		if _, f := r.esxcli(c, h, "software profile update", strings.Fields(args)...); !strings.Contains(f, want) {
			t.Errorf("%s: %s", args, f)
		}
	}
	if _, f := r.esxcli(c, h, "storage core device list"); f == "" {
		t.Error("a command that the lab does not know was executed")
	}
	if _, ok := r.reboot(h, false).(*types.InvalidState); !ok {
		t.Error("a host with running machines was restarted")
	}
	writes := r.Lab().Counters().Writes.ByMethod
	if writes["ExecuteSoap vim.EsxCLI.software.sources.profile.list"] != 0 || writes["ExecuteSoap vim.EsxCLI.software.profile.update"] != 3 {
		t.Errorf("%v", writes)
	}
	r.ok(h.EnterMaintenanceMode(ctx, 0, false, nil))
	if out, _ := r.esxcli(c, h, "software profile get", "rebootingimage=true"); strings.Contains(out, "<Name>") {
		t.Error(out)
	}
	r.Lab().servers["esx1.lab"].lock(true)
	if _, f := r.esxcli(c, h, "software profile update", depot, profile); !strings.Contains(f, "LockingError") {
		t.Error(f)
	}
	r.Lab().servers["esx1.lab"].lock(false)
	if out, f := r.esxcli(c, h, "software profile update", depot, profile); f != "" || !strings.Contains(out, "<RebootRequired>true</RebootRequired>") {
		t.Errorf("%s %s", out, f)
	}
	if out, _ := r.esxcli(c, h, "software profile get", "rebootingimage=true"); !strings.Contains(out, "21930508") {
		t.Error(out)
	}
	if f := r.reboot(h, false); f != nil {
		t.Fatal(describe(f))
	}
	r.eventually("the host goes down", func() bool { return r.hostState("site", "esx1.lab").Connection == "notResponding" })
	r.eventually("the host comes up", func() bool { return r.hostState("site", "esx1.lab").Connection == "connected" })
	if s := r.hostState("site", "esx1.lab"); s.Version != "7.0.3" || s.Build != "21930508" || !s.Maintenance {
		t.Errorf("%+v", s)
	}
	r.ok(h.ExitMaintenanceMode(ctx, 0))
	for name, vm := range r.Lab().State().VCenters["site"].VMs {
		if vm.Clock.DownSeconds != 0 {
			t.Errorf("%s was down", name)
		}
	}
	r.clean()
}

func TestUpgradesThatFail(t *testing.T) {
	r, c := startRolling(t, func(sc *scenario.Scenario) {
		p := &sc.Depots[0].Profiles[0]
		p.RefusedBy, p.RevertedBy = []string{"esx1.lab"}, []string{"esx2.lab"}
	})
	ctx := context.Background()
	one, two := r.host(c, "esx1.lab"), r.host(c, "esx2.lab")
	r.ok(one.EnterMaintenanceMode(ctx, 0, false, nil))
	if _, f := r.esxcli(c, one, "software profile update", depot, profile); !strings.Contains(f, "DependencyError") {
		t.Error(f)
	}
	r.ok(one.ExitMaintenanceMode(ctx, 0))
	r.ok(two.EnterMaintenanceMode(ctx, 0, false, nil))
	if _, f := r.esxcli(c, two, "software profile update", depot, profile); f != "" {
		t.Error(f)
	}
	if f := r.reboot(two, false); f != nil {
		t.Fatal(describe(f))
	}
	r.eventually("the host goes down", func() bool { return r.hostState("site", "esx2.lab").Connection == "notResponding" })
	r.eventually("the host comes up", func() bool { return r.hostState("site", "esx2.lab").Connection == "connected" })
	if s := r.hostState("site", "esx2.lab"); s.Version != "6.7.0" {
		t.Errorf("%+v", s)
	}
	r.clean()
}

func TestDRSEvacuatesWhatItMay(t *testing.T) {
	for name, change := range map[string]func(*scenario.Scenario){
		"manual": func(sc *scenario.Scenario) {
			sc.VCenters[0].Datacenters[0].Clusters[0].DRS.Automation = "manual"
		},
		"a machine of its own automation": func(sc *scenario.Scenario) {
			sc.VMs[0].DRSOverride = &scenario.DRSOverride{Behavior: "manual"}
		},
		"apart": func(sc *scenario.Scenario) { // on the four hosts there are four that have to be apart
			rules := &sc.VCenters[0].Datacenters[0].Clusters[0].Rules[0]
			rules.VMs = []string{"app01", "app02", "app03", "app04"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, c := startRolling(t, change)
			h := r.host(c, "esx1.lab")
			if f := r.do(h.EnterMaintenanceMode(context.Background(), 30, false, nil)); f == nil {
				t.Error("evacuated")
			} else if _, ok := f.(*types.Timedout); !ok {
				t.Error(describe(f))
			}
			if r.state("site", "app01").Host != "esx1.lab" {
				t.Error("app01 was moved")
			}
			if name == "apart" {
				return
			}
			task, err := h.EnterMaintenanceMode(context.Background(), 0, false, nil)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
			for _, ref := range r.onHost(h) {
				to := r.host(c, "esx2.lab").Reference()
				if x := object.NewVirtualMachine(c.Client.Client, ref); r.props(x, "runtime").Runtime.PowerState == on {
					_ = r.do(x.Relocate(context.Background(), types.VirtualMachineRelocateSpec{Host: &to}, types.VirtualMachineMovePriorityDefaultPriority))
				}
			}
			r.ok(task, nil)
			r.clean()
		})
	}
}

func (r *running) onHost(h *object.HostSystem) []types.ManagedObjectReference {
	var x mo.HostSystem
	if err := h.Properties(context.Background(), h.Reference(), []string{"vm"}, &x); err != nil {
		r.t.Fatal(err)
	}
	return x.Vm
}
