package lab

import (
	"time"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// serviceInstance is ServiceInstance, for the clock of a vCenter that goes wrong.
type serviceInstance struct{ shadow }

func installServiceInstance(vc *VC) {
	vc.redirect("ServiceInstance", &serviceInstance{vc.shadow("ServiceInstance")}, "CurrentTime")
}

// CurrentTime is the time of the vCenter: the true one and its skew, which is not scaled.
func (o *serviceInstance) CurrentTime(*types.CurrentTime) soap.HasFault {
	return &methods.CurrentTimeBody{Res: &types.CurrentTimeResponse{Returnval: time.Now().UTC().Add(o.vc.Spec.ClockSkew)}}
}
