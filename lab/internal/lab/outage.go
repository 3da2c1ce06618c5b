package lab

import (
	"slices"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// An outage takes something away under tasks that run: a host, or a vCenter. Lab.outages orders them: a task past its point of no
// return holds it shared until it has ended, an outage holds it alone. So a task is either done when the outage comes, or stopped
// by it before it has changed anything.

// reach is what a task needs until it is committed.
type reach struct {
	mu    sync.Mutex
	hosts []string // by name
	to    *VC      // the vCenter that it moves a VM to
	held  bool     // by a rule: nothing has begun on a host
}

func (r *reach) hangs(yes bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = yes
}

// touch notes that a task needs a host.
func (j *job) touch(h *simulator.HostSystem) {
	if h == nil {
		return
	}
	j.reach.mu.Lock()
	defer j.reach.mu.Unlock()
	j.reach.hosts = append(j.reach.hosts, h.Name)
}

// crosses notes that a task needs another vCenter.
func (j *job) crosses(to *VC) {
	j.reach.mu.Lock()
	defer j.reach.mu.Unlock()
	j.reach.to = to
}

func (j *job) needs(host string) bool {
	j.reach.mu.Lock()
	defer j.reach.mu.Unlock()
	return slices.Contains(j.reach.hosts, host)
}

// needsHost are the calls on a VM, other than those that start a task, that its host has to carry out.
var needsHost = map[string]bool{
	"UnregisterVM": true, "MarkAsTemplate": true, "MarkAsVirtualMachine": true, "ShutdownGuest": true, "RebootGuest": true,
	"AnswerVM": true, "Reload": true, "UnmountToolsInstaller": true,
}

// unreachable refuses what needs the VM's host when vCenter has no connection to it.
func (m *machine) unreachable() types.BaseMethodFault {
	h := m.host()
	if h == nil {
		return nil
	}
	if connected, _ := m.vc.hostState(h); !connected {
		return because(new(types.HostNotConnected), "vCenter has no connection to host '%s'.", h.Name)
	}
	return nil
}
