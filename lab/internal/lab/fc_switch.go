package lab

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"esxodus/lab/internal/chaos"
	"esxodus/lab/internal/fos"
	"esxodus/lab/internal/scenario"
)

// fabricPrefix stands before a fabric's name where vCenters and fabrics are told apart by their names.
const fabricPrefix = "fabric "

// addSwitches makes the switches of the scenario, and lets their zoning say who reaches whom.
func (l *Lab) addSwitches() error {
	for i := range l.Scenario.Fabric.Switches {
		spec := &l.Scenario.Fabric.Switches[i]
		s, err := fos.New(fos.Spec{
			Name: spec.Name, Firmware: spec.Firmware, Username: spec.Username, Password: spec.Password, VFID: spec.VFID,
			Database: l.zoning(spec),
			Logins:   func() []fos.Login { return l.logins(i) },
			Changed:  func() { l.storageChanged() },
			Counted:  func(call string) { l.counters.count(fabricPrefix+spec.Name, call) },
		})
		if err != nil {
			return err
		}
		l.Switches = append(l.Switches, s)
	}
	if len(l.Switches) > 0 {
		cabled := map[int64]*fos.Switch{} // each host's first port to the first switch, and so on
		for name := range l.servers {
			for i, h := range l.hbas(name) {
				cabled[h.WWPN] = l.Switches[i]
			}
		}
		l.Fabric.SetZoning(func(initiator, target int64) bool { return cabled[initiator].Allows(initiator, target) })
	}
	return nil
}

// zoning is what a switch has defined and in effect when the lab starts.
func (l *Lab) zoning(spec *scenario.FCSwitch) fos.Database {
	db := fos.Database{AllAccess: spec.AllAccess}
	for _, a := range spec.Aliases {
		db.Defined.Aliases = append(db.Defined.Aliases, fos.Alias{Name: a.Name, Members: l.ports(a.Members)})
	}
	cfg := fos.Cfg{Name: spec.Effective}
	for _, z := range spec.Zones {
		kind := fos.Standard
		if len(z.Principals) > 0 {
			kind = fos.Peer
		}
		db.Defined.Zones = append(db.Defined.Zones, fos.Zone{Name: z.Name, Type: kind, Members: l.ports(z.Members), Principals: l.ports(z.Principals)})
		cfg.Zones = append(cfg.Zones, z.Name)
	}
	if spec.Effective != "" {
		db.Defined.Cfgs, db.Effective.Cfg = []fos.Cfg{cfg}, spec.Effective
	}
	return db
}

// ports turns "host/vmhba2" and "array/0" into world wide names; what is neither stays.
func (l *Lab) ports(members []string) []string {
	var out []string
	for _, m := range members {
		if n, ok := l.port(m); ok {
			m = fos.Name(n)
		}
		out = append(out, m)
	}
	return out
}

func (l *Lab) port(member string) (int64, bool) {
	owner, port, _ := strings.Cut(member, "/")
	for _, h := range l.hbas(owner) {
		if l.servers[owner] != nil && h.Device == port {
			return h.WWPN, true
		}
	}
	if i := slices.Index(scenario.ArrayPorts, port); i >= 0 {
		if ports := l.Fabric.Ports(owner); i < len(ports) {
			return ports[i], true
		}
	}
	return 0, false
}

// logins are the ports that are logged in to the fabric of a switch: those of hosts with power, and of the arrays.
func (l *Lab) logins(i int) []fos.Login {
	absent := l.ports(l.Scenario.Fabric.Switches[i].Absent)
	var out []fos.Login
	add := func(port, node int64) {
		if login := (fos.Login{Port: fos.Name(port), Node: fos.Name(node)}); !slices.Contains(absent, login.Port) {
			out = append(out, login)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.servers)) {
		if s := l.servers[name]; !s.isDead() {
			hba := l.hbas(name)[i]
			add(hba.WWPN, hba.WWNN)
		}
	}
	for _, a := range l.Scenario.Arrays {
		for k, port := range l.Fabric.Ports(a.Name) {
			if k%len(l.Scenario.Fabric.Switches) == i {
				add(port, port&^0xff)
			}
		}
	}
	return out
}

// Switch returns the switch of a fabric, or nil.
func (l *Lab) Switch(name string) *fos.Switch {
	for i, s := range l.Scenario.Fabric.Switches {
		if s.Name == name {
			return l.Switches[i]
		}
	}
	return nil
}

// switchFront serves a switch, and lets the fault rules for its fabric have their way: those that need no vCenter.
type switchFront struct {
	lab  *Lab
	name string
	*fos.Switch
}

func (f switchFront) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rule, cleared := f.lab.Rules.Pick(chaos.Call{VCenter: fabricPrefix + f.name, Method: fos.Call(r)})
	if rule == nil {
		f.Switch.ServeHTTP(w, r)
		return
	}
	switch rule.Action {
	case chaos.Drop:
		hangUp(w)
	case chaos.DropAfter:
		f.Switch.ServeHTTP(discard{http.Header{}}, r)
		hangUp(w)
	case chaos.Delay:
		if f.lab.pause(r, rule.Wait(), cleared) {
			f.Switch.ServeHTTP(w, r)
		}
	case chaos.Hang:
		f.lab.pause(r, 1<<62, cleared)
		hangUp(w)
	case chaos.Expire:
		f.EndSessions()
		f.Switch.ServeHTTP(w, r)
	default:
		http.Error(w, "503 Service Unavailable", http.StatusServiceUnavailable)
	}
}

// pause waits; it returns false if the client went away meanwhile. It ends early when the rules are cleared or the lab ends.
func (l *Lab) pause(r *http.Request, d time.Duration, cleared <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-cleared:
	case <-l.ctx.Done():
	case <-r.Context().Done():
		return false
	}
	return true
}

// SetSwitchReachable lets the switch of a fabric go down (connections are closed and refused; what is zoned stays so) or come up.
func (s *Server) SetSwitchReachable(fabric string, reachable bool) error {
	if s.Lab().Switch(fabric) == nil {
		return fmt.Errorf("there is no fabric %q", fabric)
	}
	return s.SetReachable(fabricPrefix+fabric, reachable)
}

// FabricEndpoint is where and as whom the switch of a fabric is reached.
type FabricEndpoint struct {
	Host             string `json:"host"` // host:port
	Thumbprint       string `json:"thumbprint"`
	ThumbprintSHA256 string `json:"thumbprintSha256"`
	Certificate      string `json:"certificate"` // PEM
	Username         string `json:"username"`
	Password         string `json:"password"`
}

// Has reports whether fault rules can be for something of that name: a vCenter, or a fabric ("fabric A").
func (l *Lab) Has(name string) bool {
	fabric, ok := strings.CutPrefix(name, fabricPrefix)
	return ok && l.Switch(fabric) != nil || l.VCenter(name) != nil
}
