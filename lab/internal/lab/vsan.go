package lab

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"regexp"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// The vSAN endpoint answers what the released pulumi-vsphere plugin asks of every cluster: vSAN is off and stays off.

func installVsan(vc *VC) { vc.Mux.HandleFunc("POST /vsanHealth", vc.vsanHealth) }

var (
	vsanMethod  = regexp.MustCompile(`(?s)Body[^>]*>\s*<(?:\w+:)?(\w+)`)
	vsanCluster = regexp.MustCompile(`<(?:\w+:)?cluster[^>]*>([^<]+)</`)
	vsanEnabled = regexp.MustCompile(`(?s)<(?:\w+:)?vsanClusterConfig[^>]*>\s*<(?:\w+:)?enabled[^>]*>true<`)
)

const vsanEnvelope = xml.Header + `<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">` +
	`<soapenv:Body>%s</soapenv:Body></soapenv:Envelope>`

func (vc *VC) vsanHealth(w http.ResponseWriter, r *http.Request) {
	request, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	method := ""
	if m := vsanMethod.FindSubmatch(request); m != nil {
		method = string(m[1])
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	answer, kind := "", "NotSupported"
	if vc.session(r) == nil {
		kind = "NotAuthenticated"
		method = ""
	}
	var c *simulator.ClusterComputeResource
	if m := vsanCluster.FindSubmatch(request); m != nil {
		c, _ = get[*simulator.ClusterComputeResource](vc, types.ManagedObjectReference{Type: "ClusterComputeResource", Value: string(m[1])})
	}
	switch {
	case method == "VsanClusterReconfig" && c != nil && !vsanEnabled.Match(request):
		t := vc.run(c, "ClusterComputeResource.reconfigureVsan", vc.nameOf(c), func(*job) (types.AnyType, types.BaseMethodFault) { return nil, nil })
		answer = `<VsanClusterReconfigResponse xmlns="urn:vsan"><returnval type="Task">` + t.Value + `</returnval></VsanClusterReconfigResponse>`
	case method == "VsanClusterGetConfig" && c != nil:
		answer = `<VsanClusterGetConfigResponse xmlns="urn:vsan"><returnval><enabled>false</enabled></returnval></VsanClusterGetConfigResponse>`
	case method == "VSANVcGetWitnessHosts":
		answer = `<VSANVcGetWitnessHostsResponse xmlns="urn:vsan"></VSANVcGetWitnessHostsResponse>`
	default:
		w.WriteHeader(http.StatusInternalServerError)
		answer = `<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>The lab has no vSAN.</faultstring><detail><` + kind +
			`Fault xmlns="urn:vim25" xsi:type="` + kind + `"></` + kind + `Fault></detail></soapenv:Fault>`
	}
	_, _ = fmt.Fprintf(w, vsanEnvelope, answer)
}
