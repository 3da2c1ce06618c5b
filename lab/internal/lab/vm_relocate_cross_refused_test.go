package lab

import (
	"context"
	"testing"
	"time"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// stays checks that the move of a VM is refused with a fault, and that nothing changed.
func stays[F types.BaseMethodFault](l *landing, name string, change func(*types.VirtualMachineRelocateSpec)) F {
	l.t.Helper()
	before, spec := l.state("source", name), l.spec("new-1")
	change(&spec)
	f := fails[F](l.running)(l.move(l.machine(l.source, name), spec))
	l.intact(&before)
	return f
}

func unchanged(*types.VirtualMachineRelocateSpec) {}

func TestTheOtherVCenterIsChecked(t *testing.T) {
	l := land(t, nil)
	source := l.Endpoints().VCenters["source"]
	for property, change := range map[string]func(*types.VirtualMachineRelocateSpec){
		"spec.service.instanceUuid": func(s *types.VirtualMachineRelocateSpec) { s.Service.InstanceUuid = source.InstanceUUID },
		"spec.service.url":          func(s *types.VirtualMachineRelocateSpec) { s.Service.Url = "http://127.0.0.1/sdk" },
		"spec.host":                 func(s *types.VirtualMachineRelocateSpec) { s.Host = nil },
		"spec.pool":                 func(s *types.VirtualMachineRelocateSpec) { s.Pool = nil },
		"spec.datastore":            func(s *types.VirtualMachineRelocateSpec) { s.Datastore = nil },
		"spec.folder": func(s *types.VirtualMachineRelocateSpec) {
			s.Folder = &all[*simulator.Datacenter](l.target.vc, "Datacenter")[0].HostFolder
		},
	} {
		if f := stays[*types.InvalidArgument](l, "app01", change); f.InvalidProperty != property {
			t.Errorf("got %s, want %s", f.InvalidProperty, property)
		}
	}
	stays[*types.NoHost](l, "app01", func(s *types.VirtualMachineRelocateSpec) { s.Service.Url = "https://127.0.0.1:1/sdk" })
	f := stays[*types.SSLVerifyFault](l, "app01", func(s *types.VirtualMachineRelocateSpec) { s.Service.SslThumbprint = "" })
	if f.Thumbprint != l.target.vc.Certificate().SHA1 {
		t.Errorf("%+v", f)
	}
	stays[*types.SSLVerifyFault](l, "app01", func(s *types.VirtualMachineRelocateSpec) { s.Service.SslThumbprint = source.Thumbprint })
	// a vCenter that is none of those that are meant
	wrong := stays[*types.InvalidArgument](l, "app01", func(s *types.VirtualMachineRelocateSpec) {
		s.Service.Url, s.Service.SslThumbprint = source.URL, source.Thumbprint
	})
	if wrong.InvalidProperty != "spec.service.url" {
		t.Errorf("%+v", wrong)
	}
	stays[*types.InvalidLogin](l, "app01", func(s *types.VirtualMachineRelocateSpec) {
		s.Service.Credential = &types.ServiceLocatorNamePassword{Username: source.Username, Password: source.Password}
	})
	stays[*types.InvalidLogin](l, "app01", func(s *types.VirtualMachineRelocateSpec) {
		s.Service.Credential = &types.ServiceLocatorSAMLCredential{Token: "x"}
	})
	nowhere := types.ManagedObjectReference{Type: "HostSystem", Value: "host-9999"}
	stays[*types.ManagedObjectNotFound](l, "app01", func(s *types.VirtualMachineRelocateSpec) { s.Host = &nowhere })
	down := l.spec("new-1")
	if err := l.SetReachable("target", false); err != nil {
		t.Fatal(err)
	}
	fails[*types.NoHost](l.running)(l.move(l.machine(l.source, "app01"), down))
	l.clean()
}

func TestVersionsBelow65AreRefused(t *testing.T) {
	for name, change := range map[string]func(*scenario.VCenter){
		"vCenter": func(v *scenario.VCenter) { v.Version = "6.0.0" },
		"ESXi":    func(v *scenario.VCenter) { v.Hosts[0].Version = "6.0.0" },
	} {
		t.Run(name, func(t *testing.T) {
			l := land(t, func(sc *scenario.Scenario) {
				change(&sc.VCenters[0])
				sc.VCenters[0].Datacenters[0].Switches[0].Version = "6.0.0"
			})
			stays[*types.NotSupported](l, "app01", unchanged)
		})
	}
}

func TestClocksThatDifferAreRefused(t *testing.T) {
	for _, ahead := range []string{"source", "target"} {
		t.Run(ahead, func(t *testing.T) {
			l := land(t, func(sc *scenario.Scenario) {
				for i := range sc.VCenters {
					if sc.VCenters[i].Name == ahead {
						sc.VCenters[i].ClockSkew = clockTolerance + time.Second
					}
				}
			})
			stays[*types.InvalidLogin](l, "app01", unchanged)
		})
	}
	l := land(t, func(sc *scenario.Scenario) {
		sc.VCenters[0].ClockSkew, sc.VCenters[1].ClockSkew = clockTolerance+time.Hour, time.Hour
	})
	l.ok(l.move(l.machine(l.source, "app01"), l.spec("new-1")))
}

func TestTheVMIsChecked(t *testing.T) {
	l := land(t, func(sc *scenario.Scenario) {
		for i := range sc.VMs {
			switch sc.VMs[i].Name {
			case "app02":
				sc.VMs[i].Disks[0].RDM = "virtual"
			case "dc01":
				sc.VMs[i].Disks[0].Mode = "independent_nonpersistent"
			}
		}
	})
	ctx := context.Background()
	stays[*types.NotSupported](l, "tmpl-rhel6", unchanged)
	stays[*types.NotSupported](l, "app02", unchanged)
	stays[*types.IndependentDiskVMotionNotSupported](l, "dc01", unchanged)
	l.ok(l.machine(l.source, "ci01").Suspend(ctx))
	stays[*types.SuspendedRelocateNotSupported](l, "ci01", unchanged)
	// a VM that the target has already, by its name and by the address of a NIC
	l.ok(l.move(l.machine(l.source, "app01"), l.spec("new-1")))
	l.ok(l.machine(l.source, "file01").Rename(ctx, "app01"))
	fails[*types.DuplicateName](l.running)(l.move(l.machine(l.source, "app01"), l.spec("new-1")))
	l.ok(l.machine(l.source, "app01").Rename(ctx, "file01"))
	vm := l.machine(l.source, "test02")
	devices, err := vm.Device(ctx)
	if err != nil {
		t.Fatal(err)
	}
	nic := devices.SelectByType((*types.VirtualEthernetCard)(nil))[0]
	card := nic.(types.BaseVirtualEthernetCard).GetVirtualEthernetCard()
	card.MacAddress, card.AddressType = l.state("target", "app01").MACs[0], "manual"
	l.ok(vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{DeviceChange: []types.BaseVirtualDeviceConfigSpec{
		&types.VirtualDeviceConfigSpec{Operation: types.VirtualDeviceConfigSpecOperationEdit, Device: nic},
	}}))
	fails[*types.GenericVmConfigFault](l.running)(l.move(vm, l.spec("new-1")))
	l.clean()
}

func TestTheHostIsChecked(t *testing.T) {
	l := land(t, func(sc *scenario.Scenario) {
		no := false
		target := &sc.VCenters[1]
		target.Hosts[1].VMotion = &no
		target.Hosts[2].CPU = "intel-sandybridge"
		sc.VCenters[0].Hosts[3].VMotion = &no
		sc.VMs[0].CPUs = 2000
	})
	at := func(name string) func(*types.VirtualMachineRelocateSpec) {
		ref := l.host(l.target, name).Reference()
		return func(s *types.VirtualMachineRelocateSpec) { s.Host = &ref }
	}
	stays[*types.NotEnoughCpus](l, "app01", unchanged)
	if f := stays[*types.VMotionNotConfigured](l, "ci01", at("esx70-2.lab")); f.AtSourceHost || f.FailedHost != "esx70-2.lab" {
		t.Errorf("%+v", f)
	}
	if f := stays[*types.VMotionNotConfigured](l, "dc01", unchanged); !f.AtSourceHost || f.FailedHost != "esx67-4.lab" {
		t.Errorf("%+v", f)
	}
	stays[*types.CpuIncompatible](l, "ci01", at("esx70-3.lab"))
	host, _ := get[*simulator.HostSystem](l.target.vc, l.host(l.target, "esx70-1.lab").Reference())
	ds, _ := get[*simulator.Datastore](l.target.vc, l.datastore(l.target, "new-2"))
	l.target.vc.setMaintenance(host, true)
	stays[*types.InvalidState](l, "test02", unchanged)
	l.target.vc.setMaintenance(host, false)
	l.target.vc.setConnection(host, types.HostSystemConnectionStateDisconnected, types.VirtualMachineConnectionStateDisconnected)
	stays[*types.InvalidState](l, "test02", unchanged)
	l.target.vc.setConnection(host, types.HostSystemConnectionStateConnected, types.VirtualMachineConnectionStateConnected)
	// a datastore that the host has not mounted
	storage, err := object.NewHostSystem(l.target.Client.Client, host.Self).ConfigManager().StorageSystem(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := storage.UnmountVmfsVolume(context.Background(), ds.Info.(*types.VmfsDatastoreInfo).Vmfs.Uuid); err != nil {
		t.Fatal(err)
	}
	stays[*types.DatastoreNotWritableOnHost](l, "test02", func(s *types.VirtualMachineRelocateSpec) { s.Datastore = &ds.Self })
	// powered off it needs neither vMotion nor the processor's features
	spec := l.spec("new-1")
	at("esx70-3.lab")(&spec)
	l.ok(l.move(l.machine(l.source, "test02"), spec))
	l.clean()
}

func TestVirtualHardwareIsChecked(t *testing.T) {
	l := land(t, func(sc *scenario.Scenario) {
		sc.VCenters[0].Version, sc.VCenters[0].Hosts[0].Version = "7.0.3", "7.0.3"
		sc.VCenters[1].Hosts[0].Version, sc.VCenters[1].Hosts[0].CPU = "6.7.0", "intel-skylake"
		for i := range sc.VMs {
			if sc.VMs[i].Name == "app01" {
				sc.VMs[i].Hardware = 19
			}
		}
	})
	stays[*types.VirtualHardwareVersionNotSupported](l, "app01", unchanged)
}

func TestNetworksAreChecked(t *testing.T) {
	l := land(t, nil)
	newer, island := l.addSwitch("newer", "7.0.3", "vmnic2"), l.addSwitch("island", "6.5.0", "")
	vm := l.machine(l.source, "appliance01") // its one NIC is on a distributed switch of version 6.5.0
	to := func(b types.BaseVirtualDeviceBackingInfo) func(*types.VirtualMachineRelocateSpec) {
		return func(s *types.VirtualMachineRelocateSpec) { s.DeviceChange = l.connect(vm, b) }
	}
	stays[*types.CannotAccessNetwork](l, "appliance01", unchanged)
	stays[*types.CannotAccessNetwork](l, "appliance01", to(standardNetwork("nowhere")))
	if f := stays[*types.CannotUseNetwork](l, "appliance01", to(standardNetwork("VM Network"))); f.Reason != "VMotionToUnsupportedNetworkType" {
		t.Errorf("%+v", f)
	}
	if f := stays[*types.CannotUseNetwork](l, "appliance01", to(l.on(newer))); f.Reason != "MismatchedDvsVersionOrVendor" {
		t.Errorf("%+v", f)
	}
	stays[*types.VMOnVirtualIntranet](l, "appliance01", to(l.on(island)))
	stays[*types.InvalidDeviceSpec](l, "appliance01", func(s *types.VirtualMachineRelocateSpec) {
		to(l.on(l.dmz))(s)
		s.DeviceChange[0].GetVirtualDeviceConfigSpec().Device.GetVirtualDevice().Key = 4009
	})
	stays[*types.InvalidDeviceSpec](l, "appliance01", func(s *types.VirtualMachineRelocateSpec) {
		to(l.on(l.dmz))(s)
		s.DeviceChange[0].GetVirtualDeviceConfigSpec().Operation = types.VirtualDeviceConfigSpecOperationAdd
	})
	spec := l.spec("new-1")
	to(l.on(l.dmz))(&spec)
	l.ok(l.move(vm, spec))
	// from a standard switch to a distributed one of any version
	spec = l.spec("new-1")
	spec.DeviceChange = l.connect(l.machine(l.source, "app01"), l.on(newer))
	l.ok(l.move(l.machine(l.source, "app01"), spec))
	l.clean()
}

func TestVMotionInsideAVCenterNeedsItToo(t *testing.T) {
	r := start(t, func(sc *scenario.Scenario) { no := false; sc.VCenters[0].Hosts[1].VMotion = &no })
	ctx := context.Background()
	ref := r.host(r.source, "esx60-2.lab").Reference()
	spec := types.VirtualMachineRelocateSpec{Host: &ref}
	f := fails[*types.VMotionNotConfigured](r)(r.machine(r.source, "app01").Relocate(ctx, spec, normal))
	if f.AtSourceHost || f.FailedHost != "esx60-2.lab" {
		t.Errorf("%+v", f)
	}
	r.ok(r.machine(r.source, "archive01").Relocate(ctx, spec, normal))
	r.clean()
}
