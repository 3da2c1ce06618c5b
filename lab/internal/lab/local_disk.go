package lab

import (
	"fmt"
	"os"

	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/fabric"
)

// Local disks with a VMFS volume: to the fabric a LUN of no array, which one host alone may see.

// addLocalDisks gives the servers of the scenario their local datastores.
func (l *Lab) addLocalDisks() error {
	for name, s := range l.servers {
		d := s.spec.LocalDatastore
		if d == nil {
			continue
		}
		naa := fmt.Sprintf("naa.5000c500%x", l.ID.Bytes(4, "local disk", name))
		uuid := l.vmfsUUID(naa)
		v := &fabric.Volume{UUID: uuid, Label: d.Name, Version: 5, Dir: l.newVolumeDir(uuid)}
		if err := os.MkdirAll(v.Dir, 0o700); err != nil {
			return err
		}
		l.Fabric.AddLUN(fabric.LUN{NAA: naa, Size: d.Size << 30, Volume: v})
		if err := l.Fabric.Present(naa, name); err != nil {
			return err
		}
	}
	return nil
}

// localDevices are the disks behind a host's own adapter: the one that it boots from, and that of its local datastore.
func localDevices(devices []fabric.Device) []types.BaseScsiLun {
	out := []types.BaseScsiLun{localDisk()}
	for _, d := range devices {
		if d.Array == "" {
			x := scsiDisk(d)
			x.Vendor, x.Model, x.LocalDisk = "SEAGATE", "ST1200MM0088", types.NewBool(true)
			x.DisplayName = fmt.Sprintf("Local %s Disk (%s)", x.Vendor, d.NAA)
			out = append(out, x)
		}
	}
	return out
}
