package lab

import (
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// oldestHost is the oldest ESXi that a vCenter manages (docs/vsphere-facts.md, "Versions and paths").
var oldestHost = []struct{ vcenter, esxi string }{{"8.0", "6.7"}, {"7.0", "6.5"}, {"6.7", "6.0"}, {"6.5", "5.5"}, {"6.0", "5.0"}}

// connect contacts a server as AddHost_Task and QueryConnectionInfo do: it has to exist, its certificate has to be the one that is
// named, the password of root has to be right, and this vCenter has to manage its version.
func (vc *VC) connect(spec *types.HostConnectSpec) (*server, types.BaseMethodFault) {
	s := vc.lab.servers[spec.HostName]
	if s == nil || s.isDead() {
		return nil, because(&types.NoHost{Name: spec.HostName}, "No host answers at '%s'.", spec.HostName)
	}
	if !strings.EqualFold(spec.SslThumbprint, s.cert.SHA1) {
		return nil, &types.SSLVerifyFault{SelfSigned: true, Thumbprint: s.cert.SHA1}
	}
	if spec.UserName != "root" || spec.Password != s.spec.Password {
		return nil, new(types.InvalidLogin)
	}
	oldest := ""
	for _, o := range oldestHost {
		if oldest == "" && scenario.Compare(vc.Spec.Version, o.vcenter) >= 0 {
			oldest = o.esxi
		}
	}
	if scenario.Compare(s.spec.Version, vc.Spec.Version) > 0 || scenario.Compare(s.spec.Version, oldest) < 0 {
		return nil, because(&types.NotSupportedHost{ProductName: "VMware ESXi", ProductVersion: s.image().version},
			"vCenter Server %s manages ESXi %s to %s, and host '%s' runs %s.", vc.Spec.Version, oldest, vc.Spec.Version, spec.HostName, s.spec.Version)
	}
	return s, nil
}

// admit contacts a server that is to join and makes this vCenter its manager.
func (vc *VC) admit(spec *types.HostConnectSpec, evc string) (*server, types.BaseMethodFault) {
	s, problem := vc.connect(spec)
	if problem != nil {
		return nil, problem
	}
	vc.site.mu.Lock()
	_, known := vc.site.hosts[spec.HostName]
	vc.site.mu.Unlock()
	if known {
		return nil, because(&types.AlreadyConnected{Name: spec.HostName}, "Host '%s' is in the inventory of this vCenter already.", spec.HostName)
	}
	for _, problem := range []types.BaseMethodFault{s.licensed(vc.lab), vc.admitEVC(s, evc)} {
		if problem != nil {
			return nil, problem
		}
	}
	if other := s.claim(vc, false); other != nil {
		return nil, because(&types.AlreadyBeingManaged{IpAddress: "127.0.0.1"}, "Host '%s' is managed by the vCenter '%s'.", spec.HostName, other.Spec.Name)
	}
	return s, nil
}

// AddHostTask adds a server to a cluster.
func (o *cluster) AddHostTask(req *types.AddHost_Task) soap.HasFault {
	body, vc := &methods.AddHost_TaskBody{}, o.vc
	c, ok := get[*simulator.ClusterComputeResource](vc, req.This)
	if !ok {
		body.Fault_ = fault(&types.ManagedObjectNotFound{Obj: req.This})
		return body
	}
	ref := vc.run(c, "ClusterComputeResource.addHost", vc.nameOf(c), func(j *job) (types.AnyType, types.BaseMethodFault) {
		s, problem := vc.admit(&req.Spec, vc.clusterEVC(c))
		if problem != nil {
			return nil, problem
		}
		if problem := j.sleep(vc.lab.Scenario.Durations.Other); problem != nil {
			s.release(nil)
			return nil, problem
		}
		vc.site.mu.Lock()
		defer vc.site.mu.Unlock()
		h := vc.joinCluster(s, c, req.AsConnected)
		if req.Spec.LockdownMode != "" {
			vc.update(h, types.PropertyChange{Name: "config.lockdownMode", Val: req.Spec.LockdownMode})
		}
		return h.Self, nil
	})
	body.Res = &types.AddHost_TaskResponse{Returnval: ref}
	return body
}

// joinCluster puts a server into a cluster. site.mu is held.
func (vc *VC) joinCluster(s *server, c *simulator.ClusterComputeResource, connected bool) *simulator.HostSystem {
	h := vc.newHost(s, c, connected)
	ctx := vc.newCtx()
	ctx.WithLock(c, func() {
		ctx.Update(c, []types.PropertyChange{{Name: "host", Val: with(c.Host, h.Self)}})
	})
	vc.syncStorage(h)
	vc.syncNetwork(h)
	vc.syncVnics(h)
	vc.syncCapacity(c)
	return h
}

// AddStandaloneHostTask adds a server outside of any cluster.
func (o *folder) AddStandaloneHostTask(req *types.AddStandaloneHost_Task) soap.HasFault {
	body, vc := &methods.AddStandaloneHost_TaskBody{}, o.vc
	f, ok := get[*simulator.Folder](vc, req.This)
	if !ok || !holds(f, "ComputeResource") {
		body.Fault_ = fault(because(new(types.NotSupported), "This folder holds no hosts."))
		return body
	}
	ref := vc.run(f, "Folder.addStandaloneHost", vc.nameOf(f), func(j *job) (types.AnyType, types.BaseMethodFault) {
		s, problem := vc.admit(&req.Spec, "")
		if problem != nil {
			return nil, problem
		}
		if problem := j.sleep(vc.lab.Scenario.Durations.Other); problem != nil {
			s.release(nil)
			return nil, problem
		}
		vc.site.mu.Lock()
		defer vc.site.mu.Unlock()
		return vc.joinFolder(s, f, req.AddConnected).Self, nil
	})
	body.Res = &types.AddStandaloneHost_TaskResponse{Returnval: ref}
	return body
}

// joinFolder puts a server into a folder, in a ComputeResource of its own. site.mu is held.
func (vc *VC) joinFolder(s *server, f *simulator.Folder, connected bool) *mo.ComputeResource {
	cr := &mo.ComputeResource{
		Summary:         &types.ComputeResourceSummary{OverallStatus: types.ManagedEntityStatusGreen},
		ConfigurationEx: &types.ComputeResourceConfigInfo{VmSwapPlacement: string(types.VirtualMachineConfigInfoSwapPlacementTypeVmDirectory)},
	}
	cr.Name = s.spec.Name
	cr.EnvironmentBrowser = vc.newBrowser()
	vc.Map().NewEntity(cr)
	pool := vc.newPool(cr, "Resources", cr.Self)
	cr.ResourcePool = pointer(pool.Self)
	vc.insert(f, cr)
	h := vc.newHost(s, cr, connected)
	vc.update(cr, types.PropertyChange{Name: "host", Val: []types.ManagedObjectReference{h.Self}})
	vc.syncStorage(h)
	vc.syncNetwork(h)
	vc.syncVnics(h)
	vc.syncCapacity(cr)
	return cr
}

// datacenterObject is Datacenter.
type datacenterObject struct{ shadow }

func installDatacenter(vc *VC) {
	vc.redirect("Datacenter", &datacenterObject{vc.shadow("Datacenter")}, "QueryConnectionInfo", "QueryConnectionInfoViaSpec")
}

// QueryConnectionInfo says what AddHost_Task would find. Without the thumbprint it answers SSLVerifyFault, which holds it.
func (o *datacenterObject) QueryConnectionInfo(req *types.QueryConnectionInfo) soap.HasFault {
	body := &methods.QueryConnectionInfoBody{}
	info, problem := o.vc.connectInfo(&types.HostConnectSpec{HostName: req.Hostname, UserName: req.Username, Password: req.Password, SslThumbprint: req.SslThumbprint})
	if problem != nil {
		body.Fault_ = fault(problem)
		return body
	}
	body.Res = &types.QueryConnectionInfoResponse{Returnval: *info}
	return body
}

// QueryConnectionInfoViaSpec is QueryConnectionInfo with another way to say the same.
func (o *datacenterObject) QueryConnectionInfoViaSpec(req *types.QueryConnectionInfoViaSpec) soap.HasFault {
	body := &methods.QueryConnectionInfoViaSpecBody{}
	info, problem := o.vc.connectInfo(&req.Spec)
	if problem != nil {
		body.Fault_ = fault(problem)
		return body
	}
	body.Res = &types.QueryConnectionInfoViaSpecResponse{Returnval: *info}
	return body
}

func (vc *VC) connectInfo(spec *types.HostConnectSpec) (*types.HostConnectInfo, types.BaseMethodFault) {
	s, problem := vc.connect(spec)
	if problem != nil {
		return nil, problem
	}
	x := s.spec
	info := &types.HostConnectInfo{InDasCluster: types.NewBool(false)}
	info.Host = types.HostListSummary{
		Hardware: &types.HostHardwareSummary{
			Vendor: "Esxodus", Model: "Lab Server", Uuid: vc.lab.ID.UUID("host", x.Name), MemorySize: x.Memory << 30, CpuModel: cpuModel(x), CpuMhz: int32(x.MHz),
			NumCpuPkgs: 2, NumCpuCores: int16(x.Cores), NumCpuThreads: int16(2 * x.Cores), NumNics: pnics, NumHBAs: 3,
		},
		Config:        types.HostConfigSummary{Name: x.Name, Port: 443, SslThumbprint: s.cert.SHA1, Product: pointer(s.product())},
		OverallStatus: types.ManagedEntityStatusGray, MaxEVCModeKey: vc.highestEVC(x.CPU),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.manager != nil {
		info.ServerIp = "127.0.0.1"
	}
	return info, nil
}
