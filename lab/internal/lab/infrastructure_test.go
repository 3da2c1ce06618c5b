package lab

import (
	"context"
	"slices"
	"strings"
	"testing"

	faults "github.com/vmware/govmomi/fault"
	"github.com/vmware/govmomi/find"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

const (
	oldLUN   = "naa.60060160a1b02e00000000000000a001"
	blankLUN = "naa.68ccf098004f00000000000000b00001"
)

// built is the target with a datacenter, a cluster and hosts in it.
type built struct {
	*running
	ctx     context.Context
	dc      *object.Datacenter
	cluster *object.ClusterComputeResource
	hosts   []*object.HostSystem
}

func (r *running) connectSpec(name string) types.HostConnectSpec {
	s := r.Lab().servers[name]
	return types.HostConnectSpec{HostName: name, UserName: "root", Password: s.spec.Password, SslThumbprint: s.cert.SHA1}
}

func (r *running) site(hosts ...string) *built {
	r.t.Helper()
	b := &built{running: r, ctx: context.Background()}
	c := r.target.Client.Client
	var err error
	if b.dc, err = object.NewRootFolder(c).CreateDatacenter(b.ctx, "dc"); err != nil {
		r.t.Fatal(err)
	}
	folders, err := b.dc.Folders(b.ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	if b.cluster, err = folders.HostFolder.CreateCluster(b.ctx, "cluster", types.ClusterConfigSpecEx{
		DrsConfig: &types.ClusterDrsConfigInfo{Enabled: types.NewBool(true)},
	}); err != nil {
		r.t.Fatal(err)
	}
	for _, h := range hosts {
		t, err := b.cluster.AddHost(b.ctx, r.connectSpec(h), true, nil, nil)
		r.ok(t, err)
		b.hosts = append(b.hosts, object.NewHostSystem(c, r.target.vc.HostNamed(h).Self))
	}
	r.target.finder = find.NewFinder(c)
	r.target.finder.SetDatacenter(b.dc)
	return b
}

func (b *built) storage(i int) *object.HostStorageSystem {
	s, err := b.hosts[i].ConfigManager().StorageSystem(b.ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func (b *built) datastores(i int) *object.HostDatastoreSystem {
	s, err := b.hosts[i].ConfigManager().DatastoreSystem(b.ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// rescan does what an operator does after the fabric was changed.
func (b *built) rescan(i int) {
	b.t.Helper()
	b.must(b.storage(i).RescanAllHba(b.ctx))
	b.must(b.storage(i).RescanVmfs(b.ctx))
}

func (b *built) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// refuses checks that an error is a fault of type F.
func refuses[F types.BaseMethodFault](t *testing.T, err error) {
	t.Helper()
	var f F
	if _, ok := faults.As(err, &f); !ok {
		t.Errorf("got %v, want %T", err, f)
	}
}

// names are those of the datastores that the host can use.
func (b *built) names(i int) []string {
	b.t.Helper()
	var h mo.HostSystem
	b.must(b.hosts[i].Properties(b.ctx, b.hosts[i].Reference(), []string{"datastore"}, &h))
	out := []string{}
	for _, r := range h.Datastore {
		var ds mo.Datastore
		b.must(b.hosts[i].Properties(b.ctx, r, []string{"name"}, &ds))
		out = append(out, ds.Name)
	}
	slices.Sort(out)
	return out
}

func (b *built) same(what string, got []string, want ...string) {
	b.t.Helper()
	if !slices.Equal(got, want) {
		b.t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func (b *built) violations(kinds ...string) {
	b.t.Helper()
	got := []string{}
	for _, v := range b.Lab().Violations() {
		got = append(got, v.Kind)
	}
	b.same("violations", got, kinds...)
}

func TestAHostMountsTheOldVolumesAfterBothRescans(t *testing.T) {
	b := start(t, nil).site("esx70-1.lab")
	b.same("added", b.names(0))
	b.must(b.storage(0).RescanVmfs(b.ctx))
	b.same("VMFS rescan only", b.names(0))
	b.must(b.storage(0).RescanAllHba(b.ctx))
	b.same("HBA rescan", b.names(0))
	b.must(b.storage(0).RescanVmfs(b.ctx))
	b.same("both", b.names(0), "old-fc-01", "old-fc-02", "old-fc-03", "old-fc-04")
	ds, err := b.target.finder.Datastore(b.ctx, "old-fc-01")
	b.must(err)
	old, err := b.source.finder.Datastore(b.ctx, "old-fc-01")
	b.must(err)
	var here, there mo.Datastore
	b.must(ds.Properties(b.ctx, ds.Reference(), []string{"summary", "info", "host"}, &here))
	b.must(old.Properties(b.ctx, old.Reference(), []string{"summary", "info"}, &there))
	if here.Summary.Url != there.Summary.Url || !strings.HasPrefix(here.Summary.Url, "ds:///vmfs/volumes/") {
		t.Errorf("URLs %q and %q", here.Summary.Url, there.Summary.Url)
	}
	info := here.Info.(*types.VmfsDatastoreInfo)
	if info.Vmfs.MajorVersion != 5 || info.Vmfs.Extent[0].DiskName != oldLUN || info.Url != here.Summary.Url {
		t.Errorf("info %+v, volume %+v", info, info.Vmfs)
	}
	if here.Summary.FreeSpace != there.Summary.FreeSpace || here.Summary.FreeSpace >= here.Summary.Capacity {
		t.Errorf("free %d here and %d there, of %d", here.Summary.FreeSpace, there.Summary.FreeSpace, here.Summary.Capacity)
	}
	b.violations()
}

func TestDatastoresAreNamedAsVCenterDoes(t *testing.T) {
	b := start(t, nil).site("esx70-1.lab")
	spec := b.option(0, blankLUN, 6)
	spec.Vmfs.VolumeName = "old-fc-01"
	_, err := b.datastores(0).CreateVmfsDatastore(b.ctx, *spec)
	b.must(err)
	b.rescan(0)
	b.same("two volumes of one label", b.names(0), "old-fc-01", "old-fc-01 (1)", "old-fc-02", "old-fc-03", "old-fc-04")
}

func (b *built) detach(device string) error {
	_, err := methods.DetachScsiLun(b.ctx, b.target.Client, &types.DetachScsiLun{This: b.storage(0).Reference(), LunUuid: device})
	return err
}

func (b *built) attach(device string) error {
	_, err := methods.AttachScsiLun(b.ctx, b.target.Client, &types.AttachScsiLun{This: b.storage(0).Reference(), LunUuid: device})
	return err
}

func (b *built) mount(uuid string) error {
	_, err := methods.MountVmfsVolume(b.ctx, b.target.Client, &types.MountVmfsVolume{This: b.storage(0).Reference(), VmfsUuid: uuid})
	return err
}

// option asks for the proposal to make a volume.
func (b *built) option(i int, naa string, version int32) *types.VmfsDatastoreCreateSpec {
	b.t.Helper()
	res, err := methods.QueryVmfsDatastoreCreateOptions(b.ctx, b.target.Client, &types.QueryVmfsDatastoreCreateOptions{
		This: b.datastores(i).Reference(), DevicePath: devicePath(naa), VmfsMajorVersion: version,
	})
	b.must(err)
	return res.Returnval[0].Spec.(*types.VmfsDatastoreCreateSpec)
}

func TestMakingAndRemovingADatastore(t *testing.T) {
	b := start(t, nil).site("esx70-1.lab", "esx70-2.lab")
	disks, err := b.datastores(0).QueryAvailableDisksForVmfs(b.ctx)
	b.must(err)
	got := []string{}
	for _, d := range disks {
		got = append(got, d.CanonicalName)
	}
	b.same("available", got, blankLUN, "naa.68ccf098004f00000000000000b00002")
	spec := b.option(0, blankLUN, 0)
	if spec.Vmfs.MajorVersion != 6 {
		t.Errorf("ESXi 7.0 proposes VMFS %d", spec.Vmfs.MajorVersion)
	}
	spec.Vmfs.VolumeName = "gold"
	ds, err := b.datastores(0).CreateVmfsDatastore(b.ctx, *spec)
	b.must(err)
	b.same("the host that made it", b.names(0), "gold")
	b.same("the other one", b.names(1), "gold")
	_, err = b.datastores(0).CreateVmfsDatastore(b.ctx, *spec)
	refuses[*types.DuplicateName](t, err)
	spec.Vmfs.VolumeName = "again"
	_, err = b.datastores(1).CreateVmfsDatastore(b.ctx, *spec)
	refuses[*types.NotFound](t, err)
	b.must(b.datastores(1).Remove(b.ctx, ds))
	b.same("removed", b.names(0))
	b.violations()
}

func TestFormattingAnOldLUNIsAViolation(t *testing.T) {
	b := start(t, nil).site("esx70-1.lab")
	b.must(b.storage(0).RescanAllHba(b.ctx)) // the volume is seen and not mounted: vSphere offers its disk
	spec := b.option(0, oldLUN, 6)
	spec.Vmfs.VolumeName = "oops"
	_, err := b.datastores(0).CreateVmfsDatastore(b.ctx, *spec)
	b.must(err)
	if v := b.Lab().Violations(); len(v) == 0 || v[0].Kind != "old volume formatted" {
		t.Errorf("violations %+v", v)
	}
}

func TestUnmountAndDetach(t *testing.T) {
	b := start(t, nil).site("esx70-1.lab")
	b.rescan(0)
	volume, _ := b.Lab().Fabric.Volume(b.Lab().vmfsUUID(oldLUN))
	device := scsiUUID(oldLUN)
	refuses[*types.ResourceInUse](t, b.detach(device))
	b.must(b.storage(0).UnmountVmfsVolume(b.ctx, volume.UUID))
	refuses[*types.InvalidState](t, b.storage(0).UnmountVmfsVolume(b.ctx, volume.UUID))
	b.rescan(0)
	b.same("unmounted stays out", b.names(0), "old-fc-02", "old-fc-03", "old-fc-04")
	b.must(b.detach(device))
	refuses[*types.InvalidState](t, b.mount(volume.UUID))
	b.must(b.attach(device))
	b.must(b.mount(volume.UUID))
	b.same("mounted again", b.names(0), "old-fc-01", "old-fc-02", "old-fc-03", "old-fc-04")
	_, err := methods.UnmountVmfsVolume(b.ctx, b.source.Client, &types.UnmountVmfsVolume{
		This: *b.source.vc.HostNamed("esx60-1.lab").ConfigManager.StorageSystem, VmfsUuid: volume.UUID,
	})
	refuses[*types.ResourceInUse](t, err) // virtual machines are registered on it there
}

func TestAVolumeThatLooksLikeACopy(t *testing.T) {
	b := start(t, unresolvedAt("esx70-1.lab")).site("esx70-1.lab", "esx70-2.lab")
	b.rescan(0)
	b.same("held back", b.names(0), "old-fc-02", "old-fc-03", "old-fc-04")
	volumes, err := b.storage(0).QueryUnresolvedVmfsVolumes(b.ctx)
	b.must(err)
	if len(volumes) != 1 || volumes[0].VmfsLabel != "old-fc-01" || volumes[0].Extent[0].Reason != "diskIdMismatch" {
		t.Fatalf("unresolved %+v", volumes)
	}
	resolve := func(how string) types.HostUnresolvedVmfsResolutionResult {
		res, err := methods.ResolveMultipleUnresolvedVmfsVolumes(b.ctx, b.target.Client, &types.ResolveMultipleUnresolvedVmfsVolumes{
			This: b.storage(0).Reference(), ResolutionSpec: []types.HostUnresolvedVmfsResolutionSpec{{
				ExtentDevicePath: []string{volumes[0].Extent[0].DevicePath}, UuidResolution: how,
			}},
		})
		b.must(err)
		return res.Returnval[0]
	}
	b.rescan(1)
	if r := resolve("forceMount"); r.Fault == nil {
		t.Error("the volume was mounted although another host of the datacenter has the original")
	}
	b.must(b.storage(1).UnmountVmfsVolume(b.ctx, volumes[0].VmfsUuid))
	if r := resolve("forceMount"); r.Fault != nil || r.Vmfs.Uuid != volumes[0].VmfsUuid || r.Vmfs.ForceMountedInfo == nil {
		t.Errorf("result %+v", r)
	}
	b.same("mounted by force", b.names(0), "old-fc-01", "old-fc-02", "old-fc-03", "old-fc-04")
	b.violations()
}

func TestResignaturingAnOldVolumeIsAViolation(t *testing.T) {
	b := start(t, unresolvedAt("esx70-1.lab")).site("esx70-1.lab")
	b.rescan(0)
	res, err := methods.ResignatureUnresolvedVmfsVolume_Task(b.ctx, b.target.Client, &types.ResignatureUnresolvedVmfsVolume_Task{
		This: b.datastores(0).Reference(), ResolutionSpec: types.HostUnresolvedVmfsResignatureSpec{ExtentDevicePath: []string{devicePath(oldLUN) + ":1"}},
	})
	b.must(err)
	b.ok(object.NewTask(b.target.Client.Client, res.Returnval), nil)
	if v := b.Lab().Violations(); len(v) == 0 || v[0].Kind != "old volume resignatured" {
		t.Errorf("violations %+v", v)
	}
}

func TestPresentationDecidesWhatAHostSees(t *testing.T) {
	b := start(t, nil).site("esx70-1.lab")
	b.rescan(0)
	b.must(b.Lab().Present(oldLUN, "esx70-1.lab", false))
	ds, err := b.target.finder.Datastore(b.ctx, "old-fc-01")
	b.must(err)
	var x mo.Datastore
	b.must(ds.Properties(b.ctx, ds.Reference(), []string{"summary.accessible"}, &x))
	if x.Summary.Accessible {
		t.Error("a withdrawn volume is accessible")
	}
	b.must(b.Lab().Present(oldLUN, "esx70-1.lab", true))
	b.must(ds.Properties(b.ctx, ds.Reference(), []string{"summary.accessible"}, &x))
	if !x.Summary.Accessible {
		t.Error("a volume that is presented again is not accessible")
	}
}

func TestNASDatastores(t *testing.T) {
	b := start(t, func(s *scenario.Scenario) {
		s.NFS = []scenario.Export{
			{Name: "iso", Servers: []string{"nfs.lab"}, Path: "/iso", Hosts: []string{"esx70-1.lab", "esx70-2.lab"}},
			{Name: "other", Servers: []string{"nfs.lab"}, Path: "/other", Hosts: []string{"esx70-1.lab"}},
			{Name: "four", Servers: []string{"a.lab", "b.lab"}, Path: "/four", Version: "4.1", Hosts: []string{"esx70-1.lab"}},
		}
	}).site("esx70-1.lab", "esx70-2.lab")
	spec := types.HostNasVolumeSpec{RemoteHost: "nfs.lab", RemotePath: "/iso", LocalPath: "iso", AccessMode: "readOnly", Type: "NFS"}
	for i := range b.hosts {
		_, err := b.datastores(i).CreateNasDatastore(b.ctx, spec)
		b.must(err)
	}
	_, err := b.datastores(0).CreateNasDatastore(b.ctx, spec)
	refuses[*types.AlreadyExists](t, err)
	spec.RemotePath = "/other"
	_, err = b.datastores(0).CreateNasDatastore(b.ctx, spec)
	refuses[*types.DuplicateName](t, err)
	spec.LocalPath = "other"
	for what, change := range map[string]func(s *types.HostNasVolumeSpec){
		"no such export":         func(s *types.HostNasVolumeSpec) { s.RemotePath = "/none" },
		"no such server":         func(s *types.HostNasVolumeSpec) { s.RemoteHost = "elsewhere.lab" },
		"4.1 of an NFS 3 server": func(s *types.HostNasVolumeSpec) { s.Type, s.RemoteHostNames = "NFS41", []string{"nfs.lab"} },
		"not let in":             func(*types.HostNasVolumeSpec) {},
	} {
		x := spec
		change(&x)
		if _, err := b.datastores(1).CreateNasDatastore(b.ctx, x); err == nil {
			t.Error(what)
		}
	}
	four := types.HostNasVolumeSpec{RemoteHostNames: []string{"b.lab", "a.lab"}, RemotePath: "/four", LocalPath: "four", AccessMode: "readWrite", Type: "NFS41"}
	krb := four
	krb.SecurityType = "SEC_KRB5"
	if _, err := b.datastores(0).CreateNasDatastore(b.ctx, krb); err == nil {
		t.Error("Kerberos without credentials")
	}
	_, err = b.datastores(0).CreateNasDatastore(b.ctx, four)
	b.must(err)
	ds4, err := b.target.finder.Datastore(b.ctx, "four")
	b.must(err)
	b.must(b.datastores(0).Remove(b.ctx, ds4))
	ds, err := b.target.finder.Datastore(b.ctx, "iso")
	b.must(err)
	b.must(b.datastores(0).Remove(b.ctx, ds))
	b.same("one host without it", b.names(0))
	b.same("the other with it", b.names(1), "iso")
}

func TestPropertiesOfTheVersion(t *testing.T) {
	r := start(t, nil)
	ctx := context.Background()
	h := r.source.vc.HostNamed("esx60-1.lab").Self
	pc := property.DefaultCollector(r.source.Client.Client)
	var x mo.HostSystem
	refuses[*types.InvalidProperty](t, pc.RetrieveOne(ctx, h, []string{"runtime.inQuarantineMode"}, &x))
	refuses[*types.InvalidProperty](t, pc.RetrieveOne(ctx, h, []string{"name.nonsense.x"}, &x))
	if err := pc.RetrieveOne(ctx, h, []string{"name", "config.network.vswitch", "summary.hardware.cpuMhz"}, &x); err != nil {
		t.Error(err)
	}
	if err := pc.RetrieveOne(ctx, h, nil, &x); err != nil || x.Config.DeploymentInfo != nil {
		t.Errorf("%v; a 6.0 vCenter told of %+v", err, x.Config.DeploymentInfo)
	}
}

// unresolvedAt lets a host take the first old volume for a copy.
func unresolvedAt(host string) func(*scenario.Scenario) {
	return func(s *scenario.Scenario) { s.Arrays[0].LUNs[0].Unresolved = []string{host} }
}

func TestANameOfAFolderComesAsItIsStored(t *testing.T) {
	r, ctx := startMetadata(t, nil), context.Background()
	apps, err := r.source.finder.Folder(ctx, "/tokyo6/vm/apps")
	if err != nil {
		t.Fatal(err)
	}
	made, err := apps.CreateFolder(ctx, "a%2fb 100%25")
	if err != nil {
		t.Fatal(err)
	}
	if name := r.source.vc.nameOf(r.source.vc.Map().Get(made.Reference()).(mo.Entity)); name != "a%2fb 100%25" {
		t.Errorf("it is called %q", name)
	}
	_, err = apps.CreateFolder(ctx, "a%2fb 100%25")
	if f := refused[*types.DuplicateName](t, err); f.Object != made.Reference() {
		t.Errorf("%+v", f)
	}
	for _, name := range []string{"", "a/b", "100%"} {
		_, err := apps.CreateFolder(ctx, name)
		refused[*types.InvalidName](t, err)
	}
}
