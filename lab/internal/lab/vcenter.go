package lab

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"

	_ "github.com/vmware/govmomi/pbm/simulator" // registers /pbm
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/vpx"
	_ "github.com/vmware/govmomi/vapi/simulator" // registers /rest and /api
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/identity"
	"esxodus/lab/internal/scenario"
)

// VC is one vCenter Server of the lab.
type VC struct {
	Spec  *scenario.VCenter
	Model *simulator.Model

	certificate atomic.Pointer[identity.Certificate] // see certificate.go

	lab     *Lab
	over    map[override]types.ManagedObjectReference // this and refused: written while installing, then only read
	refused map[override]bool

	// Mux has the lab's own endpoints; the simulator adds its own to it. A pattern with a method ("POST /sdk") wins over the
	// simulator's pattern without one.
	Mux   *http.ServeMux
	tasks tasks
	api   api  // what this version of the API knows
	site  site // hosts and datastores; see infrastructure.go

	clusters sync.Mutex   // orders changes of rules, groups and overrides
	access   access       // permissions; see access.go
	tagging  tagging      // see tagging.go
	rest     restSessions // see rest.go
	use      sessionUse   // see session_use.go

	machines machineSet
	feed     *feed // changes, for waiting collectors; see property_wait.go
}

// newModel guards vpx.Setting, a global of the simulator that every model takes its options from.
var newModel sync.Mutex

// newVC builds a vCenter with an empty inventory and installs the lab's objects in it.
func (l *Lab) newVC(spec *scenario.VCenter) (*VC, error) {
	cert, err := l.ID.Certificate(spec.Name)
	if err != nil {
		return nil, err
	}
	newModel.Lock()
	defer newModel.Unlock()
	// The options are a global slice of pointers and the server rewrites some in place: each vCenter gets its own copies. The
	// session timeout is left out: it would keep a timer and the whole inventory alive after a reset; sessions expire on demand.
	shared := vpx.Setting
	defer func() { vpx.Setting = shared }()
	vpx.Setting = nil
	for _, s := range shared {
		v := *s.GetOptionValue()
		if v.Key != "config.vmacore.soap.sessionTimeout" {
			vpx.Setting = append(vpx.Setting, &v)
		}
	}
	m := simulator.VPX()
	m.Datacenter, m.Cluster, m.Host, m.Machine, m.Datastore, m.Portgroup = 0, 0, 0, 0, 0, 0
	about := &m.ServiceContent.About
	about.Version, about.Build, about.ApiVersion = spec.Version, spec.Build, spec.API
	about.Name = "VMware vCenter Server"
	about.FullName = fmt.Sprintf("VMware vCenter Server %s build-%s", spec.Version, spec.Build)
	about.InstanceUuid = l.ID.UUID("vcenter", spec.Name)
	vc := &VC{
		Spec: spec, Model: m, lab: l,
		over: map[override]types.ManagedObjectReference{}, refused: map[override]bool{},
		Mux: http.NewServeMux(),
	}
	vc.certificate.Store(&cert)
	if err := m.Create(); err != nil {
		return nil, err
	}
	for _, install := range installers() {
		install(vc)
	}
	vc.Map().Handler = vc.handler
	s := m.Service
	s.RegisterEndpoints = true
	s.ServeMux = vc.Mux
	s.Listen = &url.URL{User: url.UserPassword(spec.Username, spec.Password)}
	return vc, nil
}

// Map returns the registry of the vCenter's managed objects.
func (vc *VC) Map() *simulator.Registry { return vc.Model.Map() }

// InstanceUUID returns the vCenter's own UUID.
func (vc *VC) InstanceUUID() string { return vc.Model.ServiceContent.About.InstanceUuid }

// newCtx returns a fresh lock owner: the simulator's locks are re-entrant per *Context, so two goroutines must never share one.
func (vc *VC) newCtx() *simulator.Context {
	c := *vc.Model.Service.Context
	return &c
}

// update applies property changes to an object under its lock and tells waiting property collectors.
func (vc *VC) update(o mo.Reference, changes ...types.PropertyChange) {
	vc.Map().AtomicUpdate(vc.newCtx(), o, changes)
}
