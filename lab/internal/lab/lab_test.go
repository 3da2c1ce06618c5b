package lab

import (
	"context"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/task"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

const defaultScenario = "../../scenarios/lab.yaml"

// running is the default scenario served for a test, at a speed that makes tasks take milliseconds.
type running struct {
	*Server
	t              *testing.T
	source, target *client
}

// client is a logged-in client of one vCenter.
type client struct {
	*govmomi.Client
	vc     *VC
	finder *find.Finder
}

func start(t *testing.T, change func(*scenario.Scenario)) *running {
	t.Helper()
	return startFrom(t, defaultScenario, change)
}

func startFrom(t *testing.T, file string, change func(*scenario.Scenario)) *running {
	t.Helper()
	r := serve(t, file, change)
	r.source, r.target = r.login("source"), r.login("target")
	return r
}

// serve starts a scenario that a function may change; nobody has logged in yet.
func serve(t *testing.T, file string, change func(*scenario.Scenario)) *running {
	t.Helper()
	sc, err := scenario.Load(filepath.FromSlash(file))
	if err != nil {
		t.Fatal(err)
	}
	sc.Timescale = 5000
	if change != nil {
		change(sc)
	}
	s, err := Start(sc, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &running{Server: s, t: t}
}

func (r *running) url(name string) *url.URL {
	spec := r.Lab().VCenter(name).Spec
	return &url.URL{Scheme: "https", Host: r.Address(name), Path: "/sdk", User: url.UserPassword(spec.Username, spec.Password)}
}

func (r *running) login(name string) *client {
	r.t.Helper()
	c, err := govmomi.NewClient(context.Background(), r.url(name), true)
	if err != nil {
		r.t.Fatal(err)
	}
	f := find.NewFinder(c.Client)
	if dcs, err := f.DatacenterList(context.Background(), "*"); err == nil && len(dcs) == 1 {
		f.SetDatacenter(dcs[0])
	}
	return &client{c, r.Lab().VCenter(name), f}
}

// machine finds a VM by its name, whatever its folder.
func (r *running) machine(s *client, name string) *object.VirtualMachine {
	r.t.Helper()
	for _, m := range s.vc.machines.all() {
		if m.name() == name {
			return object.NewVirtualMachine(s.Client.Client, m.self)
		}
	}
	r.t.Fatalf("there is no VM %s at %s", name, s.vc.Spec.Name)
	return nil
}

func (r *running) props(vm *object.VirtualMachine, names ...string) (out mo.VirtualMachine) {
	r.t.Helper()
	if err := vm.Properties(context.Background(), vm.Reference(), names, &out); err != nil {
		r.t.Fatal(err)
	}
	return out
}

// do waits for a task and returns its fault, if it failed.
func (r *running) do(t *object.Task, err error) types.BaseMethodFault {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
	err = t.Wait(context.Background())
	if err == nil {
		return nil
	}
	e, ok := err.(task.Error)
	if !ok {
		r.t.Fatal(err)
	}
	if e.LocalizedMessage == "" || strings.HasPrefix(e.LocalizedMessage, "*types") {
		r.t.Errorf("message %q is not for humans", e.LocalizedMessage)
	}
	return e.Fault()
}

func (r *running) ok(t *object.Task, err error) {
	r.t.Helper()
	if f := r.do(t, err); f != nil {
		r.t.Fatalf("%T: %s", f, describe(f))
	}
}

// fails checks that a task ends with a fault of type F.
func fails[F types.BaseMethodFault](r *running) func(*object.Task, error) F {
	return func(t *object.Task, err error) F {
		r.t.Helper()
		f := r.do(t, err)
		x, ok := f.(F)
		if !ok {
			r.t.Fatalf("got %T (%v), want %T", f, f, x)
		}
		return x
	}
}

func (r *running) eventually(what string, f func() bool) {
	r.t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if f() {
			return
		}
	}
	r.t.Fatalf("not within 10 s: %s", what)
}

func (r *running) state(site, vm string) VMState { return r.Lab().State().VCenters[site].VMs[vm] }

func (r *running) clean() {
	r.t.Helper()
	if v := r.Lab().Violations(); len(v) > 0 {
		r.t.Errorf("violations: %+v", v)
	}
}

// build makes a cluster of all hosts at the target, which see the volumes of both arrays; new ones are made on the blank LUNs.
func (r *running) build() (cluster *object.ClusterComputeResource, folder *object.Folder) {
	r.t.Helper()
	ctx, c := context.Background(), r.target.Client.Client
	dc, err := object.NewRootFolder(c).CreateDatacenter(ctx, "tokyo7")
	if err != nil {
		r.t.Fatal(err)
	}
	folders, err := dc.Folders(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	if cluster, err = folders.HostFolder.CreateCluster(ctx, "prod7", types.ClusterConfigSpecEx{}); err != nil {
		r.t.Fatal(err)
	}
	for i, h := range r.target.vc.Spec.Hosts {
		r.ok(cluster.AddHost(ctx, types.HostConnectSpec{
			HostName: h.Name, UserName: "root", Password: h.Password, SslThumbprint: r.Endpoints().Hosts[h.Name].Thumbprint,
		}, true, nil, nil))
		host := r.host(r.target, h.Name)
		storage, err := host.ConfigManager().StorageSystem(ctx)
		if err == nil {
			err = storage.RescanAllHba(ctx)
		}
		if err == nil {
			err = storage.RescanVmfs(ctx)
		}
		if err != nil {
			r.t.Fatal(err)
		}
		if i == 0 {
			r.format(host)
		} else if err := storage.RescanVmfs(ctx); err != nil {
			r.t.Fatal(err)
		}
	}
	r.target.finder.SetDatacenter(dc)
	return cluster, folders.VmFolder
}

// format makes new-1 and new-2 on the blank LUNs.
func (r *running) format(host *object.HostSystem) {
	ctx := context.Background()
	dss, err := host.ConfigManager().DatastoreSystem(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	disks, err := dss.QueryAvailableDisksForVmfs(ctx)
	if err != nil || len(disks) != 2 {
		r.t.Fatalf("%d blank LUNs, %v", len(disks), err)
	}
	for i, d := range disks {
		options, err := dss.QueryVmfsDatastoreCreateOptions(ctx, d.DevicePath)
		if err != nil {
			r.t.Fatal(err)
		}
		spec := *options[0].Spec.(*types.VmfsDatastoreCreateSpec)
		spec.Vmfs.VolumeName = []string{"new-1", "new-2"}[i]
		if _, err := dss.CreateVmfsDatastore(ctx, spec); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *running) host(c *client, name string) *object.HostSystem {
	r.t.Helper()
	for _, h := range all[*simulator.HostSystem](c.vc, "HostSystem") {
		if h.Name == name {
			return object.NewHostSystem(c.Client.Client, h.Self)
		}
	}
	r.t.Fatalf("there is no host %s", name)
	return nil
}

func (r *running) datastore(c *client, name string) types.ManagedObjectReference {
	r.t.Helper()
	for _, ds := range all[*simulator.Datastore](c.vc, "Datastore") {
		if ds.Name == name {
			return ds.Self
		}
	}
	r.t.Fatalf("there is no datastore %s", name)
	return types.ManagedObjectReference{}
}

// off shuts a VM's guest down, or cuts its power if that is not possible.
func (r *running) off(vm *object.VirtualMachine) {
	r.t.Helper()
	ctx := context.Background()
	if err := vm.ShutdownGuest(ctx); err != nil {
		r.ok(vm.PowerOff(ctx))
	}
	r.eventually("powered off", func() bool { return r.props(vm, "runtime.powerState").Runtime.PowerState == off })
}

// answer waits for the question of a VM and answers it.
func (r *running) answer(vm *object.VirtualMachine, key string) {
	r.t.Helper()
	var q *types.VirtualMachineQuestionInfo
	r.eventually("question", func() bool {
		q = r.props(vm, "runtime.question").Runtime.Question
		return q != nil
	})
	if q.Message[0].Id != "msg.uuid.altered" || len(q.Choice.ChoiceInfo) != 3 {
		r.t.Errorf("question %+v", q)
	}
	if err := vm.Answer(context.Background(), q.Id, key); err != nil {
		r.t.Fatal(err)
	}
}

func same(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}
