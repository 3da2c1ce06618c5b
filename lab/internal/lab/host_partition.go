package lab

import (
	"strings"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/fabric"
)

// RetrieveDiskPartitionInfo tells how devices are divided. A LUN with a volume has its one partition, whatever the host makes of
// the volume: mounted, held back as a copy, or not looked for yet. A blank one has none.
func (o *hostStorage) RetrieveDiskPartitionInfo(req *types.RetrieveDiskPartitionInfo) soap.HasFault {
	body := &methods.RetrieveDiskPartitionInfoBody{}
	h, refused := o.vc.connected(req.This)
	if refused != nil {
		body.Fault_ = refused
		return body
	}
	seen := map[string]fabric.Device{}
	for _, d := range o.vc.lab.Fabric.Devices(h.Name) {
		seen[devicePath(d.NAA)] = d
	}
	body.Res = new(types.RetrieveDiskPartitionInfoResponse)
	for _, path := range req.DevicePath {
		d, ok := seen[path]
		if !ok || !d.Usable {
			body.Res = nil
			body.Fault_ = fault(because(new(types.NotFound), "The host cannot read the device %s.", strings.TrimPrefix(path, devicePath(""))))
			return body
		}
		body.Res.Returnval = append(body.Res.Returnval, partitions(d))
	}
	return body
}

func partitions(d fabric.Device) types.HostDiskPartitionInfo {
	whole := createOption(d, 6)
	info := whole.Info.(*types.VmfsDatastoreAllExtentOption)
	out := types.HostDiskPartitionInfo{
		DeviceName: devicePath(d.NAA), Layout: info.Layout, Spec: whole.Spec.(*types.VmfsDatastoreCreateSpec).Partition,
	}
	if d.Volume == nil {
		out.Layout.Partition, out.Spec.Partition = nil, nil
	}
	return out
}
