package lab

import (
	"fmt"
	"slices"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// HostDown cuts the power of a host. What ran on it runs no longer, and its files are free; vCenter, which hears nothing, shows the
// machines as it last saw them, disconnected. Tasks that need the host fail. A cluster with HA starts the machines on other hosts.
func (l *Lab) HostDown(name string) error {
	s := l.servers[name]
	if s == nil {
		return fmt.Errorf("there is no host %s", name)
	}
	l.outages.Lock()
	defer l.outages.Unlock()
	if !s.kill(true) {
		return nil
	}
	for _, vc := range l.VCenters {
		for _, j := range vc.tasks.all() {
			if j.needs(name) {
				j.stop(because(new(types.HostCommunication), "Host '%s' does not respond.", name))
			}
		}
		h := vc.HostNamed(name)
		if h == nil {
			continue
		}
		if connected, _ := vc.hostState(h); connected {
			vc.setConnection(h, types.HostSystemConnectionStateNotResponding, types.VirtualMachineConnectionStateDisconnected)
		}
		for _, vm := range vc.machinesOn(h) {
			if m := vc.machines.get(vm.Self); m != nil && m.power() == on {
				m.crash()
				if m.protectedByHA(h) {
					go m.failOver(s)
				}
			}
		}
	}
	l.storageChanged(name)
	return nil
}

// HostUp lets a host boot again: it sees the devices and mounts the volumes that are presented to it, and what ran on it is off.
func (l *Lab) HostUp(name string) error {
	s := l.servers[name]
	if s == nil {
		return fmt.Errorf("there is no host %s", name)
	}
	l.outages.Lock()
	defer l.outages.Unlock()
	if !s.kill(false) {
		return nil
	}
	l.Fabric.RescanHBA(name)
	l.Fabric.RescanVMFS(name)
	for _, vc := range l.VCenters {
		h := vc.HostNamed(name)
		if h == nil {
			continue
		}
		for _, vm := range vc.machinesOn(h) {
			if m := vc.machines.get(vm.Self); m != nil && m.hasCrashed() {
				m.stopped(false)
			}
		}
		silent := false
		vc.read(h, func() { silent = h.Runtime.ConnectionState == types.HostSystemConnectionStateNotResponding })
		if silent {
			vc.setConnection(h, types.HostSystemConnectionStateConnected, types.VirtualMachineConnectionStateConnected)
		}
	}
	l.storageChanged(name)
	return nil
}

// kill switches a server off or on; false means that it was so already.
func (s *server) kill(dead bool) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed = s.dead != dead
	s.dead = dead
	return changed
}

func (s *server) isDead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead
}

// crash ends a running VM with its host. What vCenter shows of it stays.
func (m *machine) crash() {
	m.mu.Lock()
	m.era++
	m.stopping, m.crashed = false, true
	asked := m.asked != nil
	m.asked = nil
	g, at := m.guest, m.at
	m.mu.Unlock()
	m.vc.lab.locks.unlock(m.owner())
	m.vc.lab.ledger.PowerOff(m.vc.Spec.Name, at.String())
	m.vc.lab.guests.Off(g.ID, *now())
	if asked {
		m.edit(func(vm *simulator.VirtualMachine) {
			vm.Runtime.Question = nil
			vm.Summary.Runtime = vm.Runtime
		})
	}
}

func (m *machine) hasCrashed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.crashed
}

// protectedByHA reports whether HA restarts a VM of a host: it is on in the cluster, and not disabled for the VM.
func (m *machine) protectedByHA(h *simulator.HostSystem) (yes bool) {
	c, ok := m.vc.parent(h).(*simulator.ClusterComputeResource)
	if !ok {
		return false
	}
	m.vc.read(c, func() {
		cfg := c.ConfigurationEx.(*types.ClusterConfigInfoEx)
		priority := ""
		if d := cfg.DasConfig.DefaultVmSettings; d != nil {
			priority = d.RestartPriority
		}
		for _, x := range cfg.DasVmConfig {
			if x.Key == m.self && x.DasSettings != nil && x.DasSettings.RestartPriority != "clusterRestartPriority" {
				priority = x.DasSettings.RestartPriority
			}
		}
		yes = isTrue(cfg.DasConfig.Enabled) && priority != "disabled"
	})
	return yes
}

// failOver starts a VM whose host died on another one, as soon as one can take it.
func (m *machine) failOver(dead *server) {
	for m.vc.lab.sleep(max(m.vc.lab.Scenario.Durations.PowerOn, time.Second)) {
		if m.restartedElsewhere(dead) {
			return
		}
	}
}

// failover has a VM while HA restarts it; vCenter shows no task.
var failover = types.ManagedObjectReference{Type: "Task", Value: "failover"}

// restartedElsewhere reports whether there is nothing more to do for HA.
func (m *machine) restartedElsewhere(dead *server) (done bool) {
	l := m.vc.lab
	l.outages.Lock()
	defer l.outages.Unlock()
	if !dead.isDead() || !m.hasCrashed() || m.vm() == nil {
		return true
	}
	if m.take(failover) != nil {
		return false
	}
	defer m.release()
	host, files := m.spare()
	if host == nil {
		return false
	}
	before, self := m.parents(), host.Self
	m.stopped(false)
	if _, ok := l.locks.lock(m.owner(), files); !ok { // another site has started it
		return true
	}
	m.edit(func(vm *simulator.VirtualMachine) {
		vm.Runtime.Host, vm.EnvironmentBrowser = &self, m.vc.browserFor(self)
		vm.Runtime.ConnectionState = types.VirtualMachineConnectionStateConnected
		vm.Summary.Runtime = vm.Runtime
	})
	m.vc.relink(m.self, before, m.parents())
	m.started(false)
	return true
}

// spare is the host that HA starts a VM on: of those of its cluster that can run it, the one with the fewest machines.
func (m *machine) spare() (best *simulator.HostSystem, files openFiles) {
	vc, c := m.vc, m.config()
	r := vc.computeResource(m.host().Self)
	if r == nil {
		return nil, files
	}
	var refs []types.ManagedObjectReference
	vc.read(vc.Map().Get(r.Self), func() { refs = slices.Clone(r.Host) })
	fewest := 0
	for _, ref := range refs {
		h, ok := get[*simulator.HostSystem](vc, ref)
		if !ok || vc.runsOn(c, h) != nil || vc.hasDevices(c, h) != nil || vc.hasRoom(m, h) != nil {
			continue
		}
		f, refused := m.filesFrom(h)
		if n := len(vc.machinesOn(h)); refused == nil && (best == nil || n < fewest) {
			best, files, fewest = h, f, n
		}
	}
	return best, files
}
