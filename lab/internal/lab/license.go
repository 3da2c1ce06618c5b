package lab

import (
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// licenseAssignments is LicenseAssignmentManager: which licence the vCenter and each of its hosts has. Nothing is assigned anew.
type licenseAssignments struct{ shadow }

func installLicenses(vc *VC) {
	vc.redirect("LicenseAssignmentManager", &licenseAssignments{vc.shadow("LicenseAssignmentManager")}, "QueryAssignedLicenses", "UpdateAssignedLicense", "RemoveAssignedLicense")
}

// QueryAssignedLicenses says what is assigned to the vCenter, whose id is its UUID, and to its hosts; to one of them where it is named.
func (o *licenseAssignments) QueryAssignedLicenses(req *types.QueryAssignedLicenses) soap.HasFault {
	vc, res := o.vc, new(types.QueryAssignedLicensesResponse)
	add := func(id, name string, l *scenario.License) {
		if req.EntityId == "" || req.EntityId == id {
			res.Returnval = append(res.Returnval, vc.assignment(id, name, l))
		}
	}
	add(vc.InstanceUUID(), vc.Spec.Name, vc.Spec.License)
	for _, h := range all[*simulator.HostSystem](vc, "HostSystem") {
		if s := vc.lab.servers[vc.entityName(h)]; s != nil {
			add(h.Self.Value, s.spec.Name, s.spec.License)
		}
	}
	return &methods.QueryAssignedLicensesBody{Res: res}
}

// UpdateAssignedLicense would change what is assigned; the lab refuses it rather than ignore it.
func (o *licenseAssignments) UpdateAssignedLicense(*types.UpdateAssignedLicense) soap.HasFault {
	return &methods.UpdateAssignedLicenseBody{Fault_: fault(because(new(types.NotSupported), "The lab assigns no licences."))}
}

// RemoveAssignedLicense is refused as well.
func (o *licenseAssignments) RemoveAssignedLicense(*types.RemoveAssignedLicense) soap.HasFault {
	return &methods.RemoveAssignedLicenseBody{Fault_: fault(because(new(types.NotSupported), "The lab assigns no licences."))}
}

// assignment is a licence as the API has it. When it ends is among its own properties, and for an evaluation among those of the
// assignment.
func (vc *VC) assignment(id, name string, l *scenario.License) types.LicenseAssignmentManagerLicenseAssignment {
	features := l.Features
	if len(features) == 0 {
		features = scenario.Features
	}
	info := types.LicenseManagerLicenseInfo{LicenseKey: "LAB00-LAB00-LAB00-LAB00-" + vc.lab.ID.UUID("licence", id)[:5], EditionKey: "esx.enterprisePlus.cpuPackage", Name: l.Name, CostUnit: "cpuPackage"}
	if id == vc.InstanceUUID() {
		info.EditionKey, info.CostUnit, features = "vc.standard.instance", "server", nil
	}
	for _, f := range features {
		info.Properties = append(info.Properties, types.KeyAnyValue{Key: "feature", Value: types.KeyValue{Key: f, Value: f}})
	}
	out := types.LicenseAssignmentManagerLicenseAssignment{EntityId: id, Scope: vc.InstanceUUID(), EntityDisplayName: name}
	if ends, ok := l.Ends(vc.lab.start); ok {
		left := max(0, time.Until(ends))
		when := []types.KeyAnyValue{ // as the vCenter tells the time
			{Key: "expirationDate", Value: ends.Add(vc.Spec.ClockSkew).UTC()}, {Key: "expirationHours", Value: int64(left.Hours())}, {Key: "expirationMinutes", Value: int64(left.Minutes())},
		}
		if l.Evaluation {
			out.Properties = append(out.Properties, types.KeyAnyValue{Key: "Evaluation", Value: types.LicenseManagerEvaluationInfo{Properties: when}})
		} else {
			info.Properties = append(info.Properties, when[0])
		}
	}
	if l.Evaluation {
		info.LicenseKey, info.EditionKey, info.CostUnit = "00000-00000-00000-00000-00000", "eval", ""
	}
	out.AssignedLicense = info
	return out
}

// licensed refuses what a host without a licence that holds does not do: run another VM, or join.
func (s *server) licensed(l *Lab) types.BaseMethodFault {
	if ends, ok := s.spec.License.Ends(l.start); ok && !time.Now().Before(ends) {
		return because(new(types.LicenseExpired), "The licence of host '%s' (%s) has expired.", s.spec.Name, s.spec.License.Name)
	}
	return nil
}
