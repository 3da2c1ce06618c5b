package lab

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
	"github.com/vmware/govmomi/vim25/xml"

	"esxodus/lab/internal/scenario"
)

// esxcli over the API, as Get-EsxCli and govc use it: HostSystem.RetrieveManagedMethodExecuter, and ExecuteSoap of what that answers.
// Neither is in the API's public description; govmomi's own types for them are internal to it, and are replaced by these.

type (
	retrieveExecuter struct {
		This types.ManagedObjectReference `xml:"_this"`
	}
	retrieveExecuterResponse struct {
		Returnval types.ManagedObjectReference `xml:"urn:vim25 returnval"`
	}
	retrieveExecuterBody struct {
		Res    *retrieveExecuterResponse `xml:"urn:vim25 RetrieveManagedMethodExecuterResponse"`
		Fault_ *soap.Fault
	}

	// executeSoap calls a method that is known to the host alone; the arguments are XML in text.
	executeSoap struct {
		This     types.ManagedObjectReference `xml:"_this"`
		Moid     string                       `xml:"moid"`
		Version  string                       `xml:"version"`
		Method   string                       `xml:"method"`
		Argument []soapArgument               `xml:"argument,omitempty"`
	}
	soapArgument struct {
		Name string `xml:"name"`
		Val  string `xml:"val"`
	}
	soapFault struct {
		FaultMsg    string `xml:"faultMsg"`
		FaultDetail string `xml:"faultDetail,omitempty"`
	}
	soapResult struct {
		Response string     `xml:"response,omitempty"`
		Fault    *soapFault `xml:"fault,omitempty"`
	}
	executeSoapResponse struct {
		Returnval *soapResult `xml:"urn:vim25 returnval"`
	}
	executeSoapBody struct {
		Res    *executeSoapResponse `xml:"urn:vim25 ExecuteSoapResponse"`
		Fault_ *soap.Fault
	}
)

func (b *retrieveExecuterBody) Fault() *soap.Fault { return b.Fault_ }
func (b *executeSoapBody) Fault() *soap.Fault      { return b.Fault_ }

func init() {
	types.Add("RetrieveManagedMethodExecuter", reflect.TypeOf((*retrieveExecuter)(nil)).Elem())
	types.Add("ExecuteSoap", reflect.TypeOf((*executeSoap)(nil)).Elem())
}

// executer is ReflectManagedMethodExecuter, of one host.
type executer struct {
	shadow
	host types.ManagedObjectReference
}

// RetrieveManagedMethodExecuter answers with what executes a host's own methods.
func (o *host) RetrieveManagedMethodExecuter(req *retrieveExecuter) soap.HasFault {
	body := new(retrieveExecuterBody)
	if _, ok := get[*simulator.HostSystem](o.vc, req.This); !ok {
		body.Fault_ = fault(&types.ManagedObjectNotFound{Obj: req.This})
		return body
	}
	ref := types.ManagedObjectReference{Type: "ReflectManagedMethodExecuter", Value: "executer-" + req.This.Value}
	if o.vc.Map().Get(ref) == nil {
		x := &executer{o.vc.shadow("Executer"), req.This}
		x.Self = ref
		o.vc.Map().Put(x)
	}
	body.Res = &retrieveExecuterResponse{ref}
	return body
}

// commands are what the lab knows of esxcli. A text beside the answer is what the command ends with instead.
var commands = map[string]func(vc *VC, h *simulator.HostSystem, args map[string][]string) (*answer, string){
	"vim.EsxCLI.software.profile.get":          (*VC).profileGet,
	"vim.EsxCLI.software.profile.update":       (*VC).profileUpdate,
	"vim.EsxCLI.software.sources.profile.list": (*VC).profileList,
}

// ExecuteSoap runs an esxcli command; it answers when the command has ended.
func (x *executer) ExecuteSoap(req *executeSoap) soap.HasFault {
	body, vc := new(executeSoapBody), x.vc
	h, ok := get[*simulator.HostSystem](vc, x.host)
	if !ok {
		body.Fault_ = fault(&types.ManagedObjectNotFound{Obj: x.host})
		return body
	}
	if connected, _ := vc.hostState(h); !connected {
		body.Fault_ = fault(because(new(types.HostNotConnected), "vCenter has no connection to host '%s'.", h.Name))
		return body
	}
	namespace := strings.TrimPrefix(strings.TrimSuffix(req.Method, path.Ext(req.Method)), "vim.EsxCLI.")
	command, handler := commands[req.Method], "ha-cli-handler-"+strings.ReplaceAll(namespace, ".", "-")
	result := new(soapResult)
	body.Res = &executeSoapResponse{result}
	if command == nil || req.Moid != handler {
		result.Fault = &soapFault{FaultMsg: "The object or item referred to could not be found."}
		return body
	}
	args := map[string][]string{}
	for _, a := range req.Argument {
		args[a.Name] = a.values()
	}
	a, problem := command(vc, h, args)
	if connected, _ := vc.hostState(h); !connected { // it went away meanwhile, and with it the answer
		body.Res, body.Fault_ = nil, fault(because(new(types.HostCommunication), "Host '%s' does not respond.", h.Name))
		return body
	}
	if problem != "" {
		result.Fault = cliFault(problem)
	} else {
		result.Response = a.xml("VimEsxCLI" + strings.ReplaceAll(strings.TrimPrefix(req.Method, "vim.EsxCLI."), ".", ""))
	}
	return body
}

var element = regexp.MustCompile(`<(\w+)[^>]*>([^<]*)</\w+>`)

// values are the texts of an argument: "<depot>a</depot><depot>b</depot>".
func (a *soapArgument) values() (out []string) {
	for _, m := range element.FindAllStringSubmatch(a.Val, -1) {
		if m[1] == a.Name {
			out = append(out, m[2])
		}
	}
	return out
}

func cliFault(text string) *soapFault {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text))
	return &soapFault{
		FaultMsg:    "EsxCLI.CLIFault.summary",
		FaultDetail: `<detail xmlns="urn:vim25"><errMsg>` + b.String() + `</errMsg></detail>`,
	}
}

// answer is what a command prints: records of fields, one or a list of them.
type answer struct {
	kind   string
	list   bool
	values [][][2]string
}

// xml is the answer as a host writes it, see the fixtures of govmomi/cli/esx.
func (a *answer) xml(prefix string) string {
	const spaces = `xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns="urn:vim25" versionId="5.0"`
	var b bytes.Buffer
	if a.list {
		fmt.Fprintf(&b, `<obj %s xsi:type="ArrayOfDataObject">`, spaces)
	} else {
		fmt.Fprintf(&b, `<obj %s xsi:type="%s%s">`, spaces, prefix, a.kind)
	}
	for _, v := range a.values {
		if a.list {
			fmt.Fprintf(&b, `<DataObject xsi:type="%s%s">`, prefix, a.kind)
		}
		for _, f := range v {
			fmt.Fprintf(&b, "<%s>", f[0])
			_ = xml.EscapeText(&b, []byte(f[1]))
			fmt.Fprintf(&b, "</%s>", f[0])
		}
		if a.list {
			b.WriteString("</DataObject>")
		}
	}
	b.WriteString("</obj>")
	return b.String()
}

func imageProfile(name string) [][2]string {
	return [][2]string{{"AcceptanceLevel", "PartnerSupported"}, {"Name", name}, {"Vendor", "VMware, Inc."}}
}

// profileGet is `esxcli software profile get`: the image that runs or, with --rebooting-image, the one that is booted next, if any.
func (vc *VC) profileGet(h *simulator.HostSystem, args map[string][]string) (*answer, string) {
	a, s := &answer{kind: "ImageProfile"}, vc.lab.servers[h.Name]
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !slices.Contains(args["rebootingimage"], "true"):
		a.values = append(a.values, imageProfile(fmt.Sprintf("ESXi-%s-%s-standard", s.runs.version, s.runs.build)))
	case s.beside != nil:
		a.values = append(a.values, imageProfile(s.beside.Name))
	}
	return a, ""
}

// profileList is `esxcli software sources profile list`.
func (vc *VC) profileList(h *simulator.HostSystem, args map[string][]string) (*answer, string) {
	profiles, problem := vc.profilesIn(h, args["depot"])
	a := &answer{kind: "ImageProfile", list: true}
	for _, p := range profiles {
		a.values = append(a.values, imageProfile(p.Name))
	}
	return a, problem
}

// profilesIn reads depots as a host does, by a path such as /vmfs/volumes/iso/esxi/depot.zip.
func (vc *VC) profilesIn(h *simulator.HostSystem, depots []string) (out []scenario.ImageProfile, problem string) {
	if len(depots) == 0 {
		return nil, "Missing required parameter -d|--depot"
	}
	for _, d := range depots {
		at, ok := vc.onHost(h, d)
		if _, err := os.Stat(vc.lab.on(at)); !ok || err != nil {
			return nil, fmt.Sprintf("[MetadataDownloadError]\nCould not download from depot at zip:%s?index.xml, skipping (('zip:%s?index.xml', '', \"Error extracting index.xml from %s: [Errno 2] No such file or directory: '%s'\"))\n        url = zip:%s?index.xml", d, d, d, d, d)
		}
		for _, x := range vc.lab.Scenario.Depots {
			if v, ok := vc.lab.Fabric.Volume(at.uuid); ok && v.Label == x.Datastore && x.Path == at.path {
				out = append(out, x.Profiles...)
			}
		}
	}
	return out, ""
}

// onHost is the file of a path such as /vmfs/volumes/iso/dir/file, where the datastore is mounted and accessible on the host.
func (vc *VC) onHost(h *simulator.HostSystem, file string) (place, bool) {
	rest, ok := strings.CutPrefix(file, "/vmfs/volumes/")
	name, file, found := strings.Cut(rest, "/")
	if !ok || !found {
		return place{}, false
	}
	for _, v := range vc.volumes(vc.datacenterOf(h.Self)) {
		if (v.name == name || v.uuid == name) && v.hosts[h.Self] {
			return place{v.uuid, path.Clean(file)}, true
		}
	}
	return place{}, false
}

// profileUpdate is `esxcli software profile update`. What is installed is booted next; an older image leaves the host as it is.
func (vc *VC) profileUpdate(h *simulator.HostSystem, args map[string][]string) (*answer, string) {
	profiles, problem := vc.profilesIn(h, args["depot"])
	if problem != "" {
		return nil, problem
	}
	name := strings.Join(args["profile"], "")
	at := slices.IndexFunc(profiles, func(p scenario.ImageProfile) bool { return p.Name == name })
	if at < 0 {
		return nil, fmt.Sprintf("[NoMatchError]\nNo image profile found with name '%s'\n        id = %s\nPlease refer to the log file for more details.", name, name)
	}
	p, s := &profiles[at], vc.lab.servers[h.Name]
	runs := s.image()
	switch {
	case scenario.Compare(p.Version, runs.version) < 0 || p.Version == runs.version && scenario.Compare(p.Build, runs.build) <= 0:
		return updated("Host is not changed.", false), ""
	case scenario.Compare(p.Version, "7.0") >= 0 && scenario.Compare(runs.version, "6.5") < 0:
		return nil, fmt.Sprintf("[HardwareError]\nESXi %s cannot be upgraded to %s: not a supported path", runs.version, p.Version)
	case slices.Contains(p.RefusedBy, h.Name):
		return nil, "[DependencyError]\nVIB QLC_bootbank_qedi_2.10.19.0-1OEM.670.0.0.8169922 requires vmkapi_incompat_2_5_0_0, but the requirement cannot be satisfied within the ImageProfile.\nPlease refer to the log file for more details."
	}
	if slices.Contains(args["dryrun"], "true") {
		return updated("Dryrun only, host not changed. The following installers will be applied: [BootBankInstaller]", true), ""
	}
	if _, maintenance := vc.hostState(h); !maintenance {
		return nil, "[MaintenanceModeError]\nThe host is not in maintenance mode; maintenance mode is required to apply this image profile."
	}
	if s.lock(true) {
		return nil, "[LockingError]\nAnother process is currently updating or locking the VIB database."
	}
	defer s.lock(false)
	if !vc.lab.sleep(vc.lab.Scenario.Durations.Update) || s.isDead() {
		return nil, "the host went down"
	}
	s.mu.Lock()
	s.beside = p
	s.mu.Unlock()
	return updated("The update completed successfully, but the system needs to be rebooted for the changes to be effective.", true), ""
}

func updated(message string, reboot bool) *answer {
	return &answer{kind: "InstallationResult", values: [][][2]string{{{"Message", message}, {"RebootRequired", fmt.Sprint(reboot)}}}}
}
