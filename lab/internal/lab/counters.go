package lab

import (
	"strings"
	"sync"

	"esxodus/lab/internal/fos"
)

// Counters are the calls so far: by vCenter and method, and of those the ones that change anything.
type Counters struct {
	Calls    map[string]map[string]int `json:"calls"`
	Writes   Writes                    `json:"writes"`
	Sessions map[string]int            `json:"sessions"` // SOAP sessions open
	Open     map[string]Open           `json:"open"`     // by vCenter
}

// Writes are the calls that change anything.
type Writes struct {
	Total    int                       `json:"total"`
	ByMethod map[string]int            `json:"byMethod"`
	VCenters map[string]map[string]int `json:"vcenters"`
}

type counters struct {
	mu    sync.Mutex
	calls map[string]map[string]int
}

func (c *counters) count(vcenter, method string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls = map[string]map[string]int{}
	}
	if c.calls[vcenter] == nil {
		c.calls[vcenter] = map[string]int{}
	}
	c.calls[vcenter][method]++
}

// Counters returns the calls so far.
func (l *Lab) Counters() Counters {
	out := Counters{
		Calls:    map[string]map[string]int{},
		Writes:   Writes{ByMethod: map[string]int{}, VCenters: map[string]map[string]int{}},
		Sessions: map[string]int{},
		Open:     map[string]Open{},
	}
	l.counters.mu.Lock()
	defer l.counters.mu.Unlock()
	add := func(name string, writes func(string) bool) {
		out.Calls[name], out.Writes.VCenters[name] = map[string]int{}, map[string]int{}
		for m, n := range l.counters.calls[name] {
			out.Calls[name][m] = n
			if writes(m) {
				out.Writes.Total += n
				out.Writes.ByMethod[m] += n
				out.Writes.VCenters[name][m] = n
			}
		}
	}
	for _, vc := range l.VCenters {
		name := vc.Spec.Name
		out.Open[name] = vc.leftOpen()
		out.Sessions[name] = out.Open[name].Sessions
		add(name, writes)
	}
	for _, s := range l.Scenario.Fabric.Switches {
		add(fabricPrefix+s.Name, fos.Writes)
	}
	return out
}

// readPrefixes and reads are the methods that change nothing but the caller's own session (views, filters, collectors, logins).
// Whatever is not listed counts as a write: a new method is suspected until it is known.
var (
	readPrefixes = []string{
		"Retrieve", "Query", "Fetch", "Find", "Get", "List", "Search", "Check", "Validate", "Estimate", "Browse", "Has",
		"Login", "Logout", "WaitFor", "Continue", "CancelRetrieveProperties", "CancelWaitFor", "Read", "Rewind", "ResetCollector",
		"PbmQuery", "PbmRetrieve", "PbmFetch", "PbmCheck", "VsanClusterGet", "VSANVcGet", "GET ", "HEAD ",
	}
	reads = map[string]bool{
		"CreateFilter": true, "CreatePropertyCollector": true, "CreateContainerView": true, "CreateListView": true,
		"CreateListViewFromView": true, "CreateInventoryView": true, "CreateCollectorForTasks": true, "CreateCollectorForEvents": true,
		"DestroyPropertyFilter": true, "DestroyPropertyCollector": true, "DestroyView": true, "DestroyCollector": true,
		"ModifyListView": true, "ResetListView": true, "ResetListViewFromView": true, "SetCollectorPageSize": true,
		"OpenInventoryViewFolder": true, "CloseInventoryViewFolder": true,
		"CurrentTime": true, "SessionIsActive": true, "CloneSession": true, "AcquireCloneTicket": true, "AcquireGenericServiceTicket": true,
		"RefreshStorageSystem": true, "RefreshDatastoreStorageInfo": true, "RefreshDatastore": true, "RefreshStorageInfo": true,
		"RefreshNetworkSystem": true, "RefreshDateTimeSystem": true, "RefreshRuntime": true, "TestTimeService": true, "DecodeLicense": true,
		"AreAlarmActionsEnabled": true, "EvcManager": true,
		"POST /rest/com/vmware/cis/session": true, "DELETE /rest/com/vmware/cis/session": true,
		"POST /api/session": true, "DELETE /api/session": true,
	}
)

// writes reports whether a call of this method changes anything.
func writes(method string) bool {
	if reads[method] || strings.Contains(method, "?~action=list") || strings.Contains(method, "?~action=get") || strings.Contains(method, "action=list") {
		return false
	}
	if command, ok := strings.CutPrefix(method, "ExecuteSoap vim.EsxCLI."); ok {
		verb := command[strings.LastIndex(command, ".")+1:]
		return verb != "get" && verb != "list"
	}
	for _, p := range readPrefixes {
		if strings.HasPrefix(method, p) {
			return false
		}
	}
	return true
}
