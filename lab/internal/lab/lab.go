// Package lab serves the vCenters of a scenario: govmomi's simulator, unmodified, with the behaviour of vSphere that it lacks.
//
// One file per managed object, named as in the API. A request for a method that the lab implements is redirected from the
// simulator's object to one of our own (see shadow.go); everything else is answered by the simulator.
package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"esxodus/lab/internal/bandwidth"
	"esxodus/lab/internal/chaos"
	"esxodus/lab/internal/fabric"
	"esxodus/lab/internal/fos"
	"esxodus/lab/internal/identity"
	"esxodus/lab/internal/ledger"
	"esxodus/lab/internal/operations"
	"esxodus/lab/internal/scenario"
)

// Lab is one run of a scenario. Reset makes a new one (see server.go).
type Lab struct {
	Scenario *scenario.Scenario
	Fabric   *fabric.Fabric
	Switches []*fos.Switch // in the order of the scenario
	VCenters []*VC
	ID       identity.Source

	root  string // directory of the volumes; see Volume
	start time.Time
	ctx   context.Context // ends with the lab: every wait in it returns
	stop  context.CancelFunc

	Rules *chaos.Rules

	outages sync.RWMutex // see outage.go

	locks  fileLocks
	copies *bandwidth.Clock
	ledger *ledger.Ledger
	guests *ledger.Guests

	space      space // see volume_outage.go
	operations operations.Record
	counters   counters
	violations violations
	formats    atomic.Int64       // volumes made so far: each needs a UUID of its own
	servers    map[string]*server // ESXi servers by name, managed or not
}

// installers add the lab's own managed objects and redirections to a new vCenter. infrastructure is storage, hosts, clusters
// and networks (infrastructure.go), machines is everything about virtual machines (machines.go).
func installers() []func(*VC) { return slices.Concat(infrastructure, machines) }

// seeders fill the inventory of a new vCenter from the scenario, in this order.
func seeders() []func(*VC) error { return slices.Concat(infrastructureSeeders, machineSeeders) }

// New builds the lab of a scenario; nothing is served yet.
func New(sc *scenario.Scenario) (*Lab, error) {
	root, err := os.MkdirTemp("", "esxodus-lab-")
	if err != nil {
		return nil, err
	}
	l := &Lab{Scenario: sc, ID: identity.Source(sc.Seed), Rules: chaos.NewRules(), root: root, start: time.Now()}
	rates := map[string]float64{}
	for _, a := range sc.Arrays {
		rates[a.Name] = a.Bandwidth
	}
	l.copies = bandwidth.NewClock(rates, sc.Timescale)
	l.guests = ledger.NewGuests()
	l.ledger = ledger.New(func(kind, text string) { l.Violate(kind, "%s", text) })
	l.ctx, l.stop = context.WithCancel(context.Background())
	if l.Fabric, err = newFabric(l); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	for i := range sc.VCenters {
		vc, err := l.newVC(&sc.VCenters[i])
		if err != nil {
			return nil, errors.Join(fmt.Errorf("vCenter %s: %w", sc.VCenters[i].Name, err), l.Close())
		}
		l.VCenters = append(l.VCenters, vc)
	}
	for _, vc := range l.VCenters {
		for _, seed := range seeders() {
			if err := seed(vc); err != nil {
				return nil, errors.Join(fmt.Errorf("vCenter %s: %w", vc.Spec.Name, err), l.Close())
			}
		}
	}
	return l, nil
}

// Close ends every task of the lab and removes its volumes.
func (l *Lab) Close() error {
	l.stop()
	var errs []error
	for _, vc := range l.VCenters {
		// The simulator's own directory; Model.Remove would end containers too, which our VMs do not have.
		for _, o := range vc.Map().OptionManager().Setting {
			if v := o.GetOptionValue(); v.Key == "vcsim.home" {
				errs = append(errs, os.RemoveAll(fmt.Sprint(v.Value)))
			}
		}
	}
	return errors.Join(append(errs, os.RemoveAll(l.root))...)
}

// VCenter returns the vCenter of that name, or nil.
func (l *Lab) VCenter(name string) *VC {
	for _, vc := range l.VCenters {
		if vc.Spec.Name == name {
			return vc
		}
	}
	return nil
}

// scale turns a duration of the real site into one of the lab.
func (l *Lab) scale(d time.Duration) time.Duration {
	return time.Duration(float64(d) / l.Scenario.Timescale)
}

// sleep waits for a duration of the real site, scaled. It returns false when the lab ended first.
func (l *Lab) sleep(d time.Duration) bool {
	d = l.scale(d)
	if d <= 0 {
		return l.ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.ctx.Done():
		return false
	}
}

// Violation is a broken invariant: something that must never happen to a virtual machine or to an old volume.
type Violation struct {
	Time time.Time `json:"time"`
	Kind string    `json:"kind"` // such as "powered on twice"
	Text string    `json:"text"`
}

type violations struct {
	mu   sync.Mutex
	list []Violation
}

// Violate records a broken invariant.
func (l *Lab) Violate(kind, format string, args ...any) {
	l.violations.mu.Lock()
	defer l.violations.mu.Unlock()
	l.violations.list = append(l.violations.list, Violation{time.Now(), kind, fmt.Sprintf(format, args...)})
}

// Violations returns the broken invariants so far. It looks for lost files first.
func (l *Lab) Violations() []Violation {
	l.ledger.Survey(l.exists)
	l.violations.mu.Lock()
	defer l.violations.mu.Unlock()
	return append([]Violation{}, l.violations.list...)
}

// Noise starts a random stream of faults, which ends with the lab.
func (l *Lab) Noise(n chaos.Noise) (chaos.Noise, error) { return l.Rules.Play(l.ctx, n) }
