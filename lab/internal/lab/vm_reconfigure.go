package lab

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// reconfigurable are the fields of a spec that the lab carries out; with any other it refuses the whole call rather than
// forgetting a part of it.
var reconfigurable = []string{
	"DynamicData", "ChangeVersion", "Name", "Annotation", "NumCPUs", "NumCoresPerSocket", "MemoryMB", "GuestId", "Uuid", "InstanceUuid", "ExtraConfig",
	"DeviceChange", "ChangeTrackingEnabled", "CpuHotAddEnabled", "MemoryHotAddEnabled", "CpuAllocation", "MemoryAllocation", "Tools", "Firmware",
}

// ReconfigVMTask changes the configuration and writes it to the .vmx. A template is refused.
func (o *vmObject) ReconfigVMTask(req *types.ReconfigVM_Task) soap.HasFault {
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		return &methods.ReconfigVM_TaskBody{Fault_: gone}
	}
	ref := m.run("VirtualMachine.reconfigure", func(j *job) (types.AnyType, types.BaseMethodFault) {
		if m.template() {
			return nil, because(new(types.NotSupported), "A template cannot be reconfigured.")
		}
		if p := m.power(); p == suspended {
			return nil, wrongPower(p, off)
		}
		if _, f := m.reconfigured(&req.Spec); f != nil { // refuse before the time passes
			return nil, f
		}
		if f := j.sleep(m.vc.lab.Scenario.Durations.Reconfigure); f != nil {
			return nil, f
		}
		if f := j.commit(); f != nil {
			return nil, f
		}
		c, f := m.reconfigured(&req.Spec)
		if f != nil {
			return nil, f
		}
		return nil, m.replace(c)
	})
	return &methods.ReconfigVM_TaskBody{Res: &types.ReconfigVM_TaskResponse{Returnval: ref}}
}

// reconfigured is the configuration after a spec.
func (m *machine) reconfigured(spec *types.VirtualMachineConfigSpec) (*types.VirtualMachineConfigInfo, types.BaseMethodFault) {
	v := reflect.ValueOf(spec).Elem()
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; !slices.Contains(reconfigurable, name) && !v.Field(i).IsZero() {
			return nil, because(new(types.NotSupported), "The lab does not change spec.%s.", strings.ToLower(name[:1])+name[1:])
		}
	}
	c := *m.config()
	if spec.ChangeVersion != "" && spec.ChangeVersion != c.ChangeVersion {
		return nil, because(new(types.ConcurrentAccess), "The virtual machine was changed meanwhile.")
	}
	if f := m.hardware(&c, spec); f != nil {
		return nil, f
	}
	if spec.Name != "" {
		if f := m.rename(&c, spec.Name); f != nil {
			return nil, f
		}
	}
	if spec.Annotation != "" {
		c.Annotation = spec.Annotation
	}
	if spec.Tools != nil && spec.Tools.SyncTimeWithHost != nil {
		t := *c.Tools
		t.SyncTimeWithHost = spec.Tools.SyncTimeWithHost
		c.Tools = &t
	}
	if f := m.trackable(spec.ChangeTrackingEnabled); f != nil {
		return nil, f
	}
	if spec.ChangeTrackingEnabled != nil {
		c.ChangeTrackingEnabled = spec.ChangeTrackingEnabled
	}
	c.CpuAllocation, c.MemoryAllocation = allocation(c.CpuAllocation, spec.CpuAllocation), allocation(c.MemoryAllocation, spec.MemoryAllocation)
	if f := extraConfig(&c, spec.ExtraConfig); f != nil {
		return nil, f
	}
	if f := m.changeDevices(&c, spec.DeviceChange); f != nil {
		return nil, f
	}
	return &c, nil
}

func allocation(old, change *types.ResourceAllocationInfo) *types.ResourceAllocationInfo {
	if change == nil {
		return old
	}
	n := *old
	if change.Reservation != nil {
		n.Reservation = change.Reservation
	}
	if change.Limit != nil {
		n.Limit = change.Limit
	}
	if change.Shares != nil {
		n.Shares = change.Shares
	}
	return &n
}

// hardware changes what a running VM mostly keeps: without hot add, processors and memory need it to be off.
func (m *machine) hardware(c *types.VirtualMachineConfigInfo, spec *types.VirtualMachineConfigSpec) types.BaseMethodFault {
	power := m.power()
	hot := power != off
	if n := spec.NumCPUs; n != 0 && n != c.Hardware.NumCPU {
		if hot && (!isTrue(c.CpuHotAddEnabled) || n < c.Hardware.NumCPU) {
			return new(types.CpuHotPlugNotSupported)
		}
		if n < 0 {
			return &types.InvalidArgument{InvalidProperty: "spec.numCPUs"}
		}
		c.Hardware.NumCPU = n
	}
	if n := spec.MemoryMB; n != 0 && int32(n) != c.Hardware.MemoryMB {
		if hot && (!isTrue(c.MemoryHotAddEnabled) || int32(n) < c.Hardware.MemoryMB) {
			return new(types.MemoryHotPlugNotSupported)
		}
		if n < 4 {
			return &types.InvalidArgument{InvalidProperty: "spec.memoryMB"}
		}
		c.Hardware.MemoryMB = int32(n)
	}
	cold := spec.GuestId != "" || spec.Uuid != "" || spec.NumCoresPerSocket != nil || spec.Firmware != "" || spec.CpuHotAddEnabled != nil || spec.MemoryHotAddEnabled != nil
	if cold && hot {
		return wrongPower(power, off)
	}
	if spec.GuestId != "" {
		if _, ok := guestFromVMX(guestToVMX(spec.GuestId)); !ok {
			return &types.InvalidArgument{InvalidProperty: "spec.guestId"}
		}
		c.GuestId, c.GuestFullName = spec.GuestId, guestName(spec.GuestId)
	}
	for _, x := range []struct {
		from string
		to   *string
	}{{spec.Uuid, &c.Uuid}, {spec.InstanceUuid, &c.InstanceUuid}, {spec.Firmware, &c.Firmware}} {
		if x.from != "" {
			*x.to = x.from
		}
	}
	if spec.InstanceUuid != "" {
		m.vc.lab.ledger.Identify(m.place().String(), spec.InstanceUuid)
	}
	if spec.NumCoresPerSocket != nil {
		c.Hardware.NumCoresPerSocket = spec.NumCoresPerSocket
	}
	if spec.CpuHotAddEnabled != nil {
		c.CpuHotAddEnabled = spec.CpuHotAddEnabled
	}
	if spec.MemoryHotAddEnabled != nil {
		c.MemoryHotAddEnabled = spec.MemoryHotAddEnabled
	}
	return nil
}

// extraConfig merges keys; an empty value removes a key. A key that stands for a property of the configuration is refused.
func extraConfig(c *types.VirtualMachineConfigInfo, change []types.BaseOptionValue) types.BaseMethodFault {
	if len(change) == 0 {
		return nil
	}
	list := slices.Clone(c.ExtraConfig)
	for _, o := range change {
		n := o.GetOptionValue()
		value := fmt.Sprint(n.Value)
		if n.Value == nil {
			value = ""
		}
		if n.Key == "" || known.MatchString(n.Key) || strings.ContainsAny(n.Key, "\"= \t\r\n") || n.Key[0] == '#' {
			return because(&types.InvalidArgument{InvalidProperty: "spec.extraConfig"}, "The key '%s' cannot be set here.", n.Key)
		}
		i := slices.IndexFunc(list, func(x types.BaseOptionValue) bool { return strings.EqualFold(x.GetOptionValue().Key, n.Key) })
		switch {
		case value == "" && i >= 0:
			list = slices.Delete(list, i, i+1)
		case value == "":
		case i >= 0:
			list[i] = &types.OptionValue{Key: list[i].GetOptionValue().Key, Value: value}
		default:
			list = append(list, &types.OptionValue{Key: n.Key, Value: value})
		}
	}
	c.ExtraConfig = list
	return nil
}

// reload makes the .vmx file the VM's configuration.
func (m *machine) reload() types.BaseMethodFault {
	return m.briefly(func() types.BaseMethodFault {
		d, f := m.vc.readVMX(m.place())
		if f != nil {
			return f
		}
		c, g, f := m.vc.decode(m.datacenter(), m.place(), d)
		if f != nil {
			return f
		}
		c.Template, c.ChangeVersion, c.FtInfo = m.template(), m.config().ChangeVersion, m.config().FtInfo
		m.mu.Lock()
		m.guest = g
		m.mu.Unlock()
		running := m.power() == on
		if f := m.replace(c); f != nil {
			return f
		}
		m.edit(func(vm *simulator.VirtualMachine) { connect(vm, running) })
		return nil
	})
}
