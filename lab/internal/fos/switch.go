package fos

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Limits of the REST interface, as a switch has them by default (its command mgmtapp --show): sessions at once, requests in a time,
// and how long it must be left alone when there were more.
const (
	maxSessions    = 3
	sampleRequests = 30
	sampleTime     = 30 * time.Second
	idleTime       = 3 * time.Second
)

// Login is a port that has logged in to the fabric.
type Login struct {
	Port, Node string
}

// Spec is a switch as it is at first.
type Spec struct {
	Name               string // of the fabric
	Firmware           string // such as "v9.1.1c"
	Username, Password string
	// VFID is the number of the logical fabric, that each request has to give then; 0: there are no virtual fabrics.
	VFID     int
	Database Database
	// Logins returns the ports that are logged in.
	Logins func() []Login
	// Changed is called, without a lock held, when another configuration is in effect.
	Changed func()
	// Counted is called with each request, by its method and its path without names.
	Counted func(call string)
}

// Switch is the principal switch of a fabric.
type Switch struct {
	spec Spec

	mu       sync.Mutex
	db       Database
	open     []*transaction
	tokens   int
	lost     int               // transactions of others that were lost by what a client did
	sessions map[string]string // token → user
	serial   int
	requests []time.Time
	refused  time.Time // when there were too many requests last; no later one may come for a time
}

// transaction is what somebody has changed and not saved yet.
type transaction struct {
	owner string // a session's token, or a person at the command line
	token int
	work  Defined
}

var errChecksum = errors.New("the checksum is not that of the zoning database: it was changed meanwhile")

// New returns a switch. The effective configuration that the database names is put into effect.
func New(spec Spec) (*Switch, error) {
	s := &Switch{spec: spec, db: spec.Database, sessions: map[string]string{}}
	if n := s.db.Effective.Cfg; n != "" {
		e, err := s.db.Defined.resolve(n)
		if err != nil {
			return nil, fmt.Errorf("fabric %s: %w", spec.Name, err)
		}
		s.db.Effective = e
	}
	return s, nil
}

// Allows reports whether two ports see each other.
func (s *Switch) Allows(a, b int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.db.allows(Name(a), Name(b))
}

// State is a dump of a switch.
type State struct {
	Database
	Checksum    string `json:"checksum"`
	Transaction string `json:"transaction"` // who has one open
	Sessions    int    `json:"sessions"`
	Lost        int    `json:"lost"` // times that somebody lost a transaction by what another did
}

// State returns what the switch has.
func (s *Switch) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := State{Database: s.db, Checksum: s.db.Checksum(), Sessions: len(s.sessions), Lost: s.lost}
	out.Defined = s.db.Defined.clone()
	var owners []string
	for _, t := range s.open {
		if s.sessions[t.owner] != "" {
			owners = append(owners, "a REST session")
		} else {
			owners = append(owners, t.owner)
		}
	}
	out.Transaction = strings.Join(owners, ", ")
	return out
}

// own returns the owner's transaction, or nil. s.mu is held.
func (s *Switch) own(owner string) *transaction {
	for _, t := range s.open {
		if t.owner == owner {
			return t
		}
	}
	return nil
}

// change works on the defined configuration in the owner's transaction, which it opens. There may be several; the first that is
// saved wins, and all others are gone (Fabric OS Administrator's Guide, concurrent zone transactions).
func (s *Switch) change(owner string, f func(*Defined) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.own(owner)
	if t == nil {
		s.tokens++
		t = &transaction{owner, s.tokens, s.db.Defined.clone()}
	}
	work := t.work.clone()
	if err := f(&work); err != nil {
		return err
	}
	if t.work = work; s.own(owner) == nil {
		s.open = append(s.open, t)
	}
	return nil
}

// commit saves the owner's transaction and, with a name, enables that configuration.
func (s *Switch) commit(owner, cfg, checksum string) error {
	err := func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if checksum != s.db.Checksum() {
			return errChecksum
		}
		work := s.db.Defined
		if t := s.own(owner); t != nil {
			work = t.work
		}
		if cfg != "" {
			e, err := work.resolve(cfg)
			if err != nil {
				return err
			}
			s.db.Effective = e
		}
		if len(s.open) > 1 || len(s.open) == 1 && s.own(owner) == nil {
			s.lost++
		}
		s.db.Defined, s.open = work, nil
		return nil
	}()
	if err == nil {
		s.spec.Changed()
	}
	return err
}

// abort drops the owner's transaction; of one that has none, whatever is open, for nothing is known of how Fabric OS tells
// whose is meant.
func (s *Switch) abort(owner string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) == 0 {
		return errors.New("there is no transaction")
	}
	if s.own(owner) == nil {
		s.open = nil
		s.lost++
		return nil
	}
	s.open = slices.DeleteFunc(s.open, func(t *transaction) bool { return t.owner == owner })
	return nil
}

// Act is what a person does at the switch's command line.
type Act struct {
	Zone    string   `json:"zone"`
	Members []string `json:"members"`
}

// Person does something at the command line: "begin" opens a transaction and leaves it open, "abort" drops whatever is open, "zone"
// makes a zone in the configuration that is in effect and enables it, "define" makes one and only saves it, "remove" takes one out
// and enables the rest.
func (s *Switch) Person(act string, a Act) error {
	const person = "a person"
	s.mu.Lock()
	cfg, checksum := s.db.Effective.Cfg, s.db.Checksum()
	if act == "abort" {
		s.open = nil
	}
	s.mu.Unlock()
	switch act {
	case "abort":
		return nil
	case "begin":
		return s.change(person, func(*Defined) error { return nil })
	case "zone", "define":
		err := s.change(person, func(d *Defined) error {
			if err := d.addZone(Zone{Name: a.Zone, Members: a.Members}); err != nil {
				return err
			}
			return d.addToCfg(cfg, []string{a.Zone})
		})
		if act == "define" {
			cfg = ""
		}
		return errors.Join(err, s.commit(person, cfg, checksum))
	case "remove":
		err := s.change(person, func(d *Defined) error {
			i := d.cfg(cfg)
			if i < 0 || !slices.Contains(d.Cfgs[i].Zones, a.Zone) {
				return fmt.Errorf("%q not found", a.Zone)
			}
			d.Cfgs[i].Zones = slices.DeleteFunc(d.Cfgs[i].Zones, func(z string) bool { return z == a.Zone })
			return d.dropZone(a.Zone)
		})
		return errors.Join(err, s.commit(person, cfg, checksum))
	}
	return fmt.Errorf("%q is not known; a person can begin, abort, zone, define, remove", act)
}
