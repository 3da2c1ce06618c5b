package lab

import (
	"net/http"
	"os"
	"path"
	"strings"

	"github.com/vmware/govmomi/simulator"
)

// installDatastoreFiles serves the files of datastores at /folder/<path>?dcPath=<datacenter>&dsName=<datastore>, as vCenter does,
// for reading. The session is checked before (see route). Writing, and the file and disk managers that would change or delete
// files behind the VMs' backs, are not modelled.
func installDatastoreFiles(vc *VC) {
	vc.Mux.HandleFunc("GET /folder/", vc.serveFile)
	vc.Mux.HandleFunc("PUT /folder/", readOnly)
	vc.Mux.HandleFunc("POST /folder/", readOnly)
	vc.Mux.HandleFunc("DELETE /folder/", readOnly)
	vc.refuse("FileManager", "DeleteDatastoreFile_Task", "MoveDatastoreFile_Task", "CopyDatastoreFile_Task", "MakeDirectory")
	vc.refuse("VirtualDiskManager", "CreateVirtualDisk_Task", "DeleteVirtualDisk_Task", "MoveVirtualDisk_Task", "CopyVirtualDisk_Task", "ExtendVirtualDisk_Task",
		"InflateVirtualDisk_Task", "ShrinkVirtualDisk_Task", "DefragmentVirtualDisk_Task", "ZeroFillVirtualDisk_Task", "SetVirtualDiskUuid")
}

func readOnly(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "the lab's datastores can only be read", http.StatusForbidden)
}

func (vc *VC) serveFile(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	dc, ok := vc.walk(vc.Model.ServiceContent.RootFolder, strings.Trim(q.Get("dcPath"), "/")).(*simulator.Datacenter)
	if !ok {
		http.Error(w, "there is no datacenter "+q.Get("dcPath"), http.StatusNotFound)
		return
	}
	v := vc.volumeNamed(dc, q.Get("dsName"))
	if v == nil || len(v.hosts) == 0 {
		http.Error(w, "there is no datastore "+q.Get("dsName"), http.StatusNotFound)
		return
	}
	if f := vc.lacks(need{"Datastore.Browse", v.ref}); f != nil {
		http.Error(w, describe(f), http.StatusForbidden)
		return
	}
	p := place{v.uuid, path.Clean("./" + strings.TrimPrefix(r.URL.Path, "/folder/"))}
	if i, err := os.Stat(vc.lab.on(p)); err != nil || i.IsDir() {
		http.Error(w, "there is no file "+p.path, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeFile(w, r, vc.lab.on(p))
}
