package lab

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// Server serves a scenario: the present Lab, which a reset replaces, behind listeners that stay.
type Server struct {
	scenario *scenario.Scenario
	fronts   map[string]*front
	// Control is the URL of the control port, once it is open.
	Control string

	mu  sync.Mutex // held while the lab is replaced
	now *Lab
}

// front is where one vCenter listens. It is our own listener and not the simulator's, so that it can go down and come up again.
type front struct {
	mu        sync.Mutex
	address   string
	cert      tls.Certificate
	handler   http.Handler
	server    *http.Server // nil while the vCenter is unreachable
	exchanged int          // certificates that replaced the first one
	change    int          // counts the times that it went down or up
	conns     connections
}

// connections are those that clients have open to one vCenter.
type connections struct {
	mu   sync.Mutex
	open map[net.Conn]bool
}

// changed follows the state of a connection. One that a rule drops is taken from the server and closed at once.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[net.Conn]bool{}
	}
	switch state {
	case http.StateNew:
		c.open[conn] = true
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
	}
}

func (c *connections) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

// Start builds the lab of a scenario and serves its vCenters. With anyPort the addresses of the scenario keep only their host.
func Start(sc *scenario.Scenario, anyPort bool) (*Server, error) {
	l, err := New(sc)
	if err != nil {
		return nil, err
	}
	s := &Server{scenario: sc, fronts: map[string]*front{}, now: l}
	open := func(name, address string, cert tls.Certificate) error {
		f := &front{address: address, cert: cert}
		if anyPort {
			host, _, _ := net.SplitHostPort(f.address)
			f.address = net.JoinHostPort(host, "0")
		}
		s.fronts[name] = f
		if err := f.up(); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", name, err), s.Close())
		}
		return nil
	}
	for _, vc := range l.VCenters {
		if err := open(vc.Spec.Name, vc.Spec.Listen, vc.Certificate().TLS); err != nil {
			return nil, fmt.Errorf("vCenter %w", err)
		}
	}
	for _, spec := range sc.Fabric.Switches {
		cert, err := l.ID.Certificate(spec.Name)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		if err := open(fabricPrefix+spec.Name, spec.Listen, cert.TLS); err != nil {
			return nil, err
		}
	}
	return s, s.expose(l)
}

// expose puts a lab behind the fronts.
func (s *Server) expose(l *Lab) error {
	for _, vc := range l.VCenters {
		f := s.fronts[vc.Spec.Name]
		if err := vc.expose(f.address); err != nil {
			return err
		}
		f.mu.Lock()
		f.handler, f.cert = vc, vc.Certificate().TLS
		f.mu.Unlock()
	}
	for i, spec := range l.Scenario.Fabric.Switches {
		f := s.fronts[fabricPrefix+spec.Name]
		f.mu.Lock()
		f.handler = switchFront{l, spec.Name, l.Switches[i]}
		f.mu.Unlock()
	}
	return nil
}

// Lab returns the present lab.
func (s *Server) Lab() *Lab {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// Reset starts the scenario anew on the same addresses: every session, task and change is gone.
func (s *Server) Reset() error {
	l, err := New(s.scenario)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.expose(l); err != nil {
		return errors.Join(err, l.Close())
	}
	for name := range s.fronts {
		s.fronts[name].down()
		if err := s.fronts[name].up(); err != nil {
			return err
		}
	}
	old := s.now
	s.now = l
	return old.Close()
}

// Address is where a vCenter listens, as host:port.
func (s *Server) Address(vcenter string) string {
	f := s.fronts[vcenter]
	if f == nil {
		return ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.address
}

// SetReachable lets a vCenter go down (connections are closed and refused) or come up again; its tasks go on meanwhile.
func (s *Server) SetReachable(vcenter string, reachable bool) error {
	f := s.fronts[vcenter]
	if f == nil {
		return fmt.Errorf("there is no vCenter %q", vcenter)
	}
	if !reachable {
		f.down()
		return nil
	}
	return f.up()
}

// Restart lets a vCenter be away for a time and come up with nothing but its inventory; see VC.restart. It returns at once.
func (s *Server) Restart(vcenter string, away time.Duration) error {
	f, vc := s.fronts[vcenter], s.Lab().VCenter(vcenter)
	if f == nil || vc == nil {
		return fmt.Errorf("there is no vCenter %q", vcenter)
	}
	since := f.down()
	vc.restart()
	time.AfterFunc(away, func() {
		if vc.lab.ctx.Err() == nil {
			f.comeBack(since)
		}
	})
	return nil
}

// Counters returns the calls so far and what is open.
func (s *Server) Counters() Counters {
	c := s.Lab().Counters()
	for name, f := range s.fronts {
		o := c.Open[name]
		o.Connections = f.conns.count()
		if fabric, ok := strings.CutPrefix(name, fabricPrefix); ok {
			o.RESTSessions = s.Lab().Switch(fabric).State().Sessions
		}
		c.Open[name] = o
	}
	return c
}

// Close stops serving and ends the lab.
func (s *Server) Close() error {
	for _, f := range s.fronts {
		f.down()
	}
	return s.Lab().Close()
}

func (f *front) up() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.listen()
}

// comeBack is up after a restart, unless the vCenter has gone down or up meanwhile.
func (f *front) comeBack(since int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.change != since {
		return
	}
	if err := f.listen(); err != nil {
		log.Printf("lab: %v", err)
	}
}

// listen opens the port. f.mu is held.
func (f *front) listen() error {
	f.change++
	if f.server != nil {
		return nil
	}
	l, err := net.Listen("tcp", f.address)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", f.address, cause(err))
	}
	f.address = l.Addr().String()
	f.server = &http.Server{
		Handler:   f,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{f.cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}},
		// A connection that a rule drops must be closed as a whole: no HTTP/2.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		ErrorLog:     log.New(quiet{}, "", 0),
		ConnState:    f.conns.changed,
	}
	go func(srv *http.Server) { _ = srv.ServeTLS(l, "", "") }(f.server)
	return nil
}

// down closes the port and all connections. It returns a number that changes when the vCenter next goes down or up.
func (f *front) down() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.change++
	if f.server != nil {
		_ = f.server.Close()
		f.server = nil
	}
	return f.change
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	h := f.handler
	f.mu.Unlock()
	h.ServeHTTP(w, r)
}

// cause is the innermost error: "address already in use" rather than the whole story.
func cause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// quiet drops what the server says of clients that do not trust its certificate: it is what such clients are for.
type quiet struct{}

func (quiet) Write(b []byte) (int, error) {
	if !strings.Contains(string(b), "TLS handshake error") {
		log.Printf("lab: %s", strings.TrimSpace(string(b)))
	}
	return len(b), nil
}

// expose registers the simulator's own endpoints and tells it the address that clients use. The simulator insists on a
// listener of its own for that; it is closed at once.
func (vc *VC) expose(address string) error {
	svc := vc.Model.Service
	user := svc.Listen.User
	svc.Listen = &url.URL{Host: "127.0.0.1:0", User: user}
	inner := svc.NewServer()
	inner.Close()
	svc.Listen = &url.URL{Scheme: "https", Host: address, Path: vc.Map().Path, User: user}
	vc.Map().SessionManager().ServiceHostName = address
	options := vc.Map().OptionManager()
	for _, o := range options.Setting {
		v := o.GetOptionValue()
		if u, err := url.Parse(fmt.Sprint(v.Value)); strings.HasSuffix(v.Key, ".uri") && err == nil {
			u.Scheme, u.Host = "https", address
			v.Value = u.String()
		}
	}
	options.UpdateOptions(&types.UpdateOptions{ChangedValue: []types.BaseOptionValue{
		&types.OptionValue{Key: "vcsim.server.url", Value: svc.Listen.String()},
	}})
	return nil
}
