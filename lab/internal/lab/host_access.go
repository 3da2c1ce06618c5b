package lab

import (
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// hostAccess is HostAccessManager: the lockdown mode of a host.
type hostAccess struct {
	mo.HostAccessManager
	vc   *VC
	host *simulator.HostSystem
}

// ChangeLockdownMode changes the lockdown mode.
func (a *hostAccess) ChangeLockdownMode(ctx *simulator.Context, req *types.ChangeLockdownMode) soap.HasFault {
	ctx.Update(a, []types.PropertyChange{{Name: "lockdownMode", Val: req.Mode}})
	a.vc.update(a.host, types.PropertyChange{Name: "config.lockdownMode", Val: req.Mode},
		types.PropertyChange{Name: "config.adminDisabled", Val: req.Mode != types.HostLockdownModeLockdownDisabled})
	return &methods.ChangeLockdownModeBody{Res: new(types.ChangeLockdownModeResponse)}
}

// hostDateTime is HostDateTimeSystem: time zone and time servers of a host.
type hostDateTime struct {
	mo.HostDateTimeSystem
	vc   *VC
	host *simulator.HostSystem
}

// UpdateDateTimeConfig changes the time servers.
func (d *hostDateTime) UpdateDateTimeConfig(ctx *simulator.Context, req *types.UpdateDateTimeConfig) soap.HasFault {
	info := d.DateTimeInfo
	if req.Config.NtpConfig != nil {
		info.NtpConfig = req.Config.NtpConfig
	}
	ctx.Update(d, []types.PropertyChange{{Name: "dateTimeInfo", Val: info}})
	d.vc.update(d.host, types.PropertyChange{Name: "config.dateTimeInfo", Val: &info})
	return &methods.UpdateDateTimeConfigBody{Res: new(types.UpdateDateTimeConfigResponse)}
}

// QueryDateTime is the time of the host: the true one and its skew, which is not scaled.
func (d *hostDateTime) QueryDateTime(*types.QueryDateTime) soap.HasFault {
	if on, _ := d.vc.hostState(d.host); !on {
		return &methods.QueryDateTimeBody{Fault_: fault(because(new(types.HostNotConnected), "Host '%s' is not connected.", d.vc.entityName(d.host)))}
	}
	now := time.Now().UTC()
	if s := d.vc.lab.servers[d.vc.entityName(d.host)]; s != nil {
		now = now.Add(s.spec.ClockSkew)
	}
	return &methods.QueryDateTimeBody{Res: &types.QueryDateTimeResponse{Returnval: now}}
}

// hostService is HostServiceSystem: the services of a host.
type hostService struct {
	mo.HostServiceSystem
	vc   *VC
	host *simulator.HostSystem
}

func (s *hostService) edit(ctx *simulator.Context, id string, f func(*types.HostService)) *soap.Fault {
	info := types.HostServiceInfo{Service: append([]types.HostService(nil), s.ServiceInfo.Service...)}
	for i := range info.Service {
		if info.Service[i].Key == id {
			f(&info.Service[i])
			ctx.Update(s, []types.PropertyChange{{Name: "serviceInfo", Val: info}})
			s.vc.update(s.host, types.PropertyChange{Name: "config.service", Val: &info})
			return nil
		}
	}
	return fault(because(new(types.NotFound), "The host has no service %s.", id))
}

// StartService starts a service.
func (s *hostService) StartService(ctx *simulator.Context, req *types.StartService) soap.HasFault {
	body := &methods.StartServiceBody{Fault_: s.edit(ctx, req.Id, func(x *types.HostService) { x.Running = true })}
	if body.Fault_ == nil {
		body.Res = new(types.StartServiceResponse)
	}
	return body
}

// StopService stops a service.
func (s *hostService) StopService(ctx *simulator.Context, req *types.StopService) soap.HasFault {
	body := &methods.StopServiceBody{Fault_: s.edit(ctx, req.Id, func(x *types.HostService) { x.Running = false })}
	if body.Fault_ == nil {
		body.Res = new(types.StopServiceResponse)
	}
	return body
}

// UpdateServicePolicy says when a service starts.
func (s *hostService) UpdateServicePolicy(ctx *simulator.Context, req *types.UpdateServicePolicy) soap.HasFault {
	body := &methods.UpdateServicePolicyBody{Fault_: s.edit(ctx, req.Id, func(x *types.HostService) { x.Policy = req.Policy })}
	if body.Fault_ == nil {
		body.Res = new(types.UpdateServicePolicyResponse)
	}
	return body
}
