package lab

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
	"esxodus/lab/internal/vmx"
)

const gib = 1 << 30

// layer is one file pair of a disk: a descriptor and its data; a disk with snapshots has several, each the delta of the next.
type layer struct {
	at   place
	desc *vmx.Descriptor
}

func (y layer) extent() place { return y.at.absolute(y.desc.ExtentFile) }

// used is the number of bytes written: what a copy has to move. No real bytes are kept, so it stands in the disk data base.
func (y layer) used() int64 { return y.desc.DDB.Int("ddb.lab.used", 0) }

func (y layer) capacity() int64 { return y.desc.Sectors * 512 }

func (y layer) thin() bool { return y.desc.DDB.Get("ddb.thinProvisioned") == "1" }

// allocated is the space that the layer takes on its volume.
func (y layer) allocated() int64 {
	if y.thin() || y.desc.Delta() {
		return y.used()
	}
	return y.capacity()
}

const largestDescriptor = 1 << 20

// readDisk reads a disk and all its parents, the running layer first.
func (l *Lab) readDisk(at place) ([]layer, types.BaseMethodFault) {
	var out []layer
	for {
		// Data, such as the pointer of a raw device, is as large as its disk: no descriptor is, and memory would not hold it.
		if info, err := os.Stat(l.on(at)); err == nil && info.Size() > largestDescriptor {
			return nil, because(&types.InvalidVmConfig{Property: "disk"}, "%s: not a descriptor.", at.path)
		}
		text, err := os.ReadFile(l.on(at))
		if err != nil {
			return nil, &types.FileNotFound{FileFault: types.FileFault{File: at.path}}
		}
		d, err := vmx.ParseDescriptor(text)
		if err != nil {
			return nil, because(&types.InvalidVmConfig{Property: "disk"}, "%s: %s.", at.path, err)
		}
		out = append(out, layer{at, d})
		if !d.Delta() {
			return out, nil
		}
		if len(out) > 32 {
			return nil, because(&types.InvalidVmConfig{Property: "disk"}, "%s: more than 32 layers.", at.path)
		}
		at = at.absolute(d.ParentFile)
	}
}

// writeLayer writes a descriptor and, if it is missing, its data: a sparse file as large as what is allocated, with no real bytes.
func (l *Lab) writeLayer(y layer) error {
	if err := os.WriteFile(l.on(y.at), y.desc.Bytes(), 0o600); err != nil {
		return err
	}
	data := l.on(y.extent())
	if _, err := os.Stat(data); err == nil {
		return nil
	}
	f, err := os.Create(data)
	if err != nil {
		return err
	}
	if err := f.Truncate(y.allocated()); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// baseDisk describes a new disk without a parent.
func (l *Lab) baseDisk(at place, capacity, used int64, thin bool, adapter string) layer {
	base := strings.TrimSuffix(path.Base(at.path), ".vmdk")
	id := l.ID.Bytes(16, "disk", at.String())
	d := &vmx.Descriptor{
		CID: 0xfffffffe, ParentCID: vmx.NoParent, CreateType: "vmfs",
		Sectors: capacity / 512, ExtentType: "VMFS", ExtentFile: base + "-flat.vmdk", DDB: vmx.New(),
	}
	d.DDB.Set("ddb.adapterType", adapter)
	d.DDB.Set("ddb.geometry.cylinders", strconv.FormatInt(min(capacity/512/255/63, 65535), 10))
	d.DDB.Set("ddb.geometry.heads", "255")
	d.DDB.Set("ddb.geometry.sectors", "63")
	d.DDB.Set("ddb.longContentID", fmt.Sprintf("%x", id))
	d.DDB.Set("ddb.uuid", diskUUID(id))
	if thin {
		d.DDB.Set("ddb.thinProvisioned", "1")
	}
	d.DDB.Set("ddb.lab.used", strconv.FormatInt(used, 10))
	return layer{at, d}
}

// diskUUID writes the UUID of a disk as descriptors do: "60 00 C2 9a …-…".
func diskUUID(id []byte) string {
	b := append([]byte{0x60, 0x00, 0xC2, 0x90 | id[3]&0xf}, id[4:]...)
	s := vmx.FormatUUID(fmt.Sprintf("%x", b))
	return "60 00 C2" + s[8:]
}

// delta describes the layer that a snapshot puts over another.
func (l *Lab) delta(at place, over layer) layer {
	base := strings.TrimSuffix(path.Base(at.path), ".vmdk")
	d := &vmx.Descriptor{
		CID: over.desc.CID - 1, ParentCID: over.desc.CID, CreateType: "vmfsSparse", ParentFile: at.relative(over.at),
		Sectors: over.desc.Sectors, ExtentType: "VMFSSPARSE", ExtentFile: base + "-delta.vmdk", DDB: vmx.New(),
	}
	d.DDB.Set("ddb.longContentID", fmt.Sprintf("%x", l.ID.Bytes(16, "disk", at.String())))
	d.DDB.Set("ddb.lab.used", "0")
	return layer{at, d}
}

// guest is what is installed on a VM's first disk, and how it behaves. It is kept in the disk's own data base, so that it goes
// where the disk goes.
type guest struct {
	ID              string        `json:"id"` // name in the lab, for the clock of its downtime
	Tools           string        `json:"tools"`
	IgnoresShutdown bool          `json:"ignoresShutdown,omitempty"`
	Boot            time.Duration `json:"boot"`
	Shutdown        time.Duration `json:"shutdown"`
	IPs             []string      `json:"ips,omitempty"`
}

const (
	guestKey     = "ddb.lab.guest"
	toolsVersion = "10240" // VMware Tools 10.0.0, of ESXi 6.0 U1
)

func (g guest) installed() bool { return g.Tools == "running" || g.Tools == "notRunning" }

func newGuest(vm *scenario.VM) guest {
	return guest{ID: vm.Name, Tools: vm.Tools, IgnoresShutdown: vm.GuestIgnoresShutdown, Boot: vm.Durations.Boot, Shutdown: vm.Durations.Shutdown, IPs: vm.IPs}
}

// install puts a guest on a disk.
func (g guest) install(y layer) {
	text, _ := json.Marshal(g)
	y.desc.DDB.Set(guestKey, string(text))
	if g.installed() {
		y.desc.DDB.Set("ddb.toolsInstallType", "1")
		y.desc.DDB.Set("ddb.toolsVersion", toolsVersion)
	}
}

// readGuest finds the guest on a disk; an empty disk has none.
func readGuest(layers []layer) guest {
	for _, y := range layers {
		if text := y.desc.DDB.Get(guestKey); text != "" {
			var g guest
			if json.Unmarshal([]byte(text), &g) == nil {
				return g
			}
		}
	}
	return guest{Tools: "notInstalled"}
}
