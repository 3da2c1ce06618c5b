package lab

import (
	"reflect"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// propertyCollector stands before the simulator's collectors (see property_output.go). It also answers Fetch, pyVmomi's access to a single property. For an unset property the simulator answers with the
// body of another method, which pyVmomi cannot read.
type propertyCollector struct{ shadow }

func installPropertyCollector(vc *VC) {
	vc.api.version = vc.Spec.API
	vc.redirect("PropertyCollector", &propertyCollector{vc.shadow("PropertyCollector")},
		"Fetch", "RetrieveProperties", "RetrievePropertiesEx", "ContinueRetrievePropertiesEx", "CreateFilter", "WaitForUpdates", "WaitForUpdatesEx",
		"CancelWaitForUpdates", "DestroyPropertyCollector")
}

// fetchResponse and fetchBody have the names and tags of the simulator's own, which it does not export.
type fetchResponse struct {
	Returnval types.AnyType `xml:"returnval,omitempty,typeattr"`
}

type fetchBody struct {
	Res    *fetchResponse `xml:"FetchResponse,omitempty"`
	Fault_ *soap.Fault    `xml:"http://schemas.xmlsoap.org/soap/envelope/ Fault,omitempty"`
}

func (b *fetchBody) Fault() *soap.Fault { return b.Fault_ }

// Fetch asks the simulator's collector, whose request type it does not export either, and turns "unset" into an empty answer.
func (o *propertyCollector) Fetch(ctx *simulator.Context, req any) soap.HasFault {
	ref := o.vc.Model.ServiceContent.PropertyCollector
	var collector any = ctx.Map.Get(ref)
	if ctx.Session != nil {
		collector = ctx.Session.Get(ref)
	}
	called := reflect.ValueOf(collector).MethodByName("Fetch").Call([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(req)})
	res := called[0].Interface().(soap.HasFault)
	if res.Fault() != nil {
		return res
	}
	if _, unset := res.(*methods.RetrievePropertiesExBody); unset {
		return &fetchBody{Res: new(fetchResponse)}
	}
	// An empty enum is unset too: as an element without text it would be no value of the enum.
	r := reflect.ValueOf(res).Elem().FieldByName("Res")
	if r.IsNil() {
		return res
	}
	v := r.Elem().FieldByName("Returnval")
	if v.IsNil() || v.Elem().Kind() == reflect.String && v.Elem().Len() == 0 && v.Elem().Type().Name() != "string" {
		return &fetchBody{Res: new(fetchResponse)}
	}
	q := reflect.ValueOf(req).Elem()
	kind := q.FieldByName("This").Interface().(types.ManagedObjectReference).Type
	v.Set(reflect.ValueOf(o.vc.public(kind, q.FieldByName("Prop").String(), v.Interface())))
	return res
}
