package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// NoiseKinds are the actions that noise can consist of: those after which a client that tries again gets on.
var NoiseKinds = []string{Drop, DropAfter, Delay, HTTP503, Expire, TaskFault, TaskAfter, TaskHang, TaskLost}

// noiseFaults are those that tasks end with: of a site where somebody else is at work, and of one that is slow.
var noiseFaults = []string{"TaskInProgress", "Timedout"}

// Noise is a random stream of faults; the same seed gives the same stream.
type Noise struct {
	Seed      uint64   `json:"seed"`
	PerMinute float64  `json:"perMinute"`         // on average
	Kinds     []string `json:"kinds"`             // of NoiseKinds; none means all
	Seconds   float64  `json:"seconds"`           // until it ends, of the lab's clock; 0 for never
	VCenter   string   `json:"vcenter,omitempty"` // only at this vCenter
}

// stream returns a function that draws the time until the next fault, and the fault: a rule for the next call that it fits.
func (n Noise) stream() func() (time.Duration, Rule) {
	random := rand.New(rand.NewPCG(n.Seed, 0)) //nolint:gosec // it has to be repeatable
	return func() (time.Duration, Rule) {
		wait := time.Duration(random.ExpFloat64() * float64(time.Minute) / n.PerMinute)
		rule := Rule{VCenter: n.VCenter, Method: "*", Count: 1, Action: n.Kinds[random.IntN(len(n.Kinds))], Noise: true}
		switch rule.Action {
		case TaskFault, TaskAfter:
			rule.Fault = noiseFaults[random.IntN(len(noiseFaults))]
		case Delay:
			rule.Seconds = 0.05 + random.Float64()
		case TaskHang:
			rule.Seconds = 0.5 + 2*random.Float64()
		}
		return wait, rule
	}
}

// Play starts a stream of faults and returns at once. It ends after its time, when the rules are cleared, or with ctx. A fault
// that no call met before the next one of its kind came lapses, so that a client that was away finds no pile of them.
func (r *Rules) Play(ctx context.Context, n Noise) (Noise, error) {
	if n.PerMinute <= 0 || n.PerMinute > 60000 {
		return n, fmt.Errorf("perMinute must be above 0 and at most 60000")
	}
	if n.Seconds < 0 {
		return n, fmt.Errorf("seconds must not be negative")
	}
	if len(n.Kinds) == 0 {
		n.Kinds = NoiseKinds
	}
	for _, k := range n.Kinds {
		if !slices.Contains(NoiseKinds, k) {
			return n, fmt.Errorf("kind %q is not known; allowed: %s", k, strings.Join(NoiseKinds, ", "))
		}
	}
	r.mu.Lock()
	cleared := r.cleared
	r.mu.Unlock()
	go r.play(ctx, n, cleared)
	return n, nil
}

func (r *Rules) play(ctx context.Context, n Noise, cleared <-chan struct{}) {
	if n.Seconds > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(n.Seconds*float64(time.Second)))
		defer cancel()
	}
	pending := map[string]int{} // rule by kind
	defer func() {
		for _, id := range pending {
			r.lapse(id)
		}
	}()
	for next := n.stream(); ; {
		wait, rule := next()
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-cleared:
			t.Stop()
			return
		case <-ctx.Done():
			t.Stop()
			return
		}
		r.lapse(pending[rule.Action])
		pending[rule.Action] = r.append(rule, cleared)
	}
}

// append arms a rule of noise, unless the rules were cleared since the noise began.
func (r *Rules) append(rule Rule, cleared <-chan struct{}) (id int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cleared != cleared {
		return 0
	}
	r.next++
	rule.ID = r.next
	r.rules = append(r.rules, &rule)
	return rule.ID
}

// lapse disarms a rule that no call met.
func (r *Rules) lapse(id int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules = slices.DeleteFunc(r.rules, func(x *Rule) bool { return x.ID == id && x.Hits == 0 })
}
