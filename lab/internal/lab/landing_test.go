package lab

import (
	"context"
	"strings"
	"testing"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

const liveScenario = "../../scenarios/lab-live.yaml"

// landing is the live scenario with a built target.
type landing struct {
	*running
	pool types.ManagedObjectReference
	root *object.Folder
	dmz  string // key of a port group on a distributed switch of the source's version
}

func land(t *testing.T, change func(*scenario.Scenario)) *landing {
	t.Helper()
	l := &landing{running: startFrom(t, liveScenario, func(s *scenario.Scenario) {
		for i := range s.VCenters[1].Hosts {
			s.VCenters[1].Hosts[i].VMotion = types.NewBool(true)
		}
		if change != nil {
			change(s)
		}
	})}
	cluster, folder := l.build()
	pool, err := cluster.ResourcePool(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	l.pool, l.root = pool.Reference(), folder
	l.dmz = l.addSwitch("dvs7", "6.5.0", "vmnic1")
	return l
}

// addSwitch makes a distributed switch at the target, on one adapter of every host or on none, with one port group.
func (l *landing) addSwitch(name, version, device string) (portgroup string) {
	l.t.Helper()
	vc := l.target.vc
	config := &types.VMwareDVSConfigSpec{DVSConfigSpec: types.DVSConfigSpec{Name: name}}
	for _, h := range all[*simulator.HostSystem](vc, "HostSystem") {
		b := &types.DistributedVirtualSwitchHostMemberPnicBacking{}
		if device != "" {
			b.PnicSpec = []types.DistributedVirtualSwitchHostMemberPnicSpec{{PnicDevice: device}}
		}
		config.Host = append(config.Host, types.DistributedVirtualSwitchHostMemberConfigSpec{Operation: "add", Host: h.Self, Backing: b})
	}
	dc := all[*simulator.Datacenter](vc, "Datacenter")[0]
	folder, _ := get[*simulator.Folder](vc, dc.NetworkFolder)
	s, f := vc.newDVS(folder, &types.DVSCreateSpec{ConfigSpec: config, ProductInfo: &types.DistributedVirtualSwitchProductSpec{Version: version}})
	if f != nil {
		l.t.Fatal(describe(f))
	}
	pg, f := vc.addPortgroups(s, []types.DVPortgroupConfigSpec{{Name: "pg-" + name, NumPorts: 8}})
	if f != nil {
		l.t.Fatal(describe(f))
	}
	return pg.Key
}

func (l *landing) on(key string) types.BaseVirtualDeviceBackingInfo {
	pg, _ := get[*simulator.DistributedVirtualPortgroup](l.target.vc, types.ManagedObjectReference{Type: "DistributedVirtualPortgroup", Value: key})
	s, _ := get[*distributedSwitch](l.target.vc, *pg.Config.DistributedVirtualSwitch)
	return &types.VirtualEthernetCardDistributedVirtualPortBackingInfo{Port: types.DistributedVirtualSwitchPortConnection{SwitchUuid: s.Uuid, PortgroupKey: key}}
}

func standardNetwork(name string) types.BaseVirtualDeviceBackingInfo {
	return &types.VirtualEthernetCardNetworkBackingInfo{VirtualDeviceDeviceBackingInfo: types.VirtualDeviceDeviceBackingInfo{DeviceName: name}}
}

// connect maps NICs, by their index, to networks.
func (l *landing) connect(vm *object.VirtualMachine, networks ...types.BaseVirtualDeviceBackingInfo) (out []types.BaseVirtualDeviceConfigSpec) {
	l.t.Helper()
	devices, err := vm.Device(context.Background())
	if err != nil {
		l.t.Fatal(err)
	}
	for i, d := range devices.SelectByType((*types.VirtualEthernetCard)(nil)) {
		if i < len(networks) && networks[i] != nil {
			d.GetVirtualDevice().Backing = networks[i]
			out = append(out, &types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationEdit, Device: d})
		}
	}
	return out
}

// spec moves a VM to the target, to a datastore.
func (l *landing) spec(datastore string) types.VirtualMachineRelocateSpec {
	l.t.Helper()
	to, host, ds := l.Endpoints().VCenters["target"], l.host(l.target, "esx70-1.lab").Reference(), l.datastore(l.target, datastore)
	return types.VirtualMachineRelocateSpec{
		Service: &types.ServiceLocator{
			InstanceUuid: to.InstanceUUID, Url: to.URL, SslThumbprint: to.Thumbprint,
			Credential: &types.ServiceLocatorNamePassword{Username: to.Username, Password: to.Password},
		},
		Host: &host, Pool: &l.pool, Datastore: &ds,
	}
}

func (l *landing) move(vm *object.VirtualMachine, spec types.VirtualMachineRelocateSpec) (*object.Task, error) {
	return vm.Relocate(context.Background(), spec, normal)
}

// intact checks that a VM is at the source as it was, and that nothing of it is at the target.
func (l *landing) intact(before *VMState) {
	l.t.Helper()
	l.eventually("the task lets go of "+before.Name, func() bool { return !l.state("source", before.Name).Busy })
	after := l.state("source", before.Name)
	compare(l.t, before, &after)
	if after.MoRef != before.MoRef || after.Host != before.Host || after.Power != before.Power || after.Clock.PowerCycles != before.Clock.PowerCycles {
		l.t.Errorf("before %+v\nafter %+v", before, after)
	}
	if s := l.state("target", before.Name); s.Name != "" {
		l.t.Errorf("it is at the target: %+v", s)
	}
	for _, name := range []string{"new-1", "new-2"} {
		if left := l.Lab().entries(place{l.target.vc.volumeOf(l.datastore(l.target, name)).uuid, before.Name}); len(left) > 0 {
			l.t.Errorf("left on %s: %v", name, left)
		}
	}
	l.target.vc.machines.mu.Lock()
	defer l.target.vc.machines.mu.Unlock()
	if len(l.target.vc.machines.homes) > 0 || len(l.target.vc.machines.names) > 0 {
		l.t.Errorf("reserved at the target: %v, %v", l.target.vc.machines.homes, l.target.vc.machines.names)
	}
}

// arrived checks that a VM is at the target and nowhere else, and is the one that it was.
func (l *landing) arrived(before *VMState) VMState {
	l.t.Helper()
	after := l.state("target", before.Name)
	if gone := l.state("source", before.Name); gone.Name != "" || after.Name == "" {
		l.t.Fatalf("source %+v\ntarget %+v", gone, after)
	}
	if after.InstanceUUID != before.InstanceUUID || after.BIOSUUID != before.BIOSUUID || !same(after.MACs, before.MACs) || after.Notes != before.Notes ||
		after.Power != before.Power || after.Tools != before.Tools || !same(after.Snapshots, before.Snapshots) || len(after.Disks) != len(before.Disks) {
		l.t.Errorf("before %+v\nafter %+v", before, after)
	}
	for i := range after.Disks {
		if after.Disks[i].Size != before.Disks[i].Size || after.Disks[i].Mode != before.Disks[i].Mode {
			l.t.Errorf("disk %d: %+v, %+v", i, before.Disks[i], after.Disks[i])
		}
	}
	for k, v := range before.ExtraConfig {
		if after.ExtraConfig[k] != v {
			l.t.Errorf("extra config %s is %q, was %q", k, after.ExtraConfig[k], v)
		}
	}
	if len(after.CustomAttributes) > 0 {
		l.t.Errorf("custom attributes came along: %v", after.CustomAttributes)
	}
	if after.Clock.DownSeconds != 0 && before.Power == "poweredOn" || after.Clock.PowerCycles != 0 {
		l.t.Errorf("the guest noticed: %+v", after.Clock)
	}
	return after
}

// home moves a VM back to the source.
func (l *landing) home(datastore, other string, disk int32) types.VirtualMachineRelocateSpec {
	to, host, ds := l.Endpoints().VCenters["source"], l.host(l.source, "esx67-1.lab").Reference(), l.datastore(l.source, datastore)
	pool, err := l.source.finder.ResourcePool(context.Background(), "prod67/Resources")
	if err != nil {
		l.t.Fatal(err)
	}
	ref := pool.Reference()
	return types.VirtualMachineRelocateSpec{
		Service: &types.ServiceLocator{
			InstanceUuid: to.InstanceUUID, Url: to.URL, SslThumbprint: strings.ToLower(to.Thumbprint),
			Credential: &types.ServiceLocatorNamePassword{Username: to.Username, Password: to.Password},
		},
		Host: &host, Pool: &ref, Datastore: &ds,
		Disk: []types.VirtualMachineRelocateSpecDiskLocator{{DiskId: disk, Datastore: l.datastore(l.source, other)}},
	}
}
