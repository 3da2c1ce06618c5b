package lab

import (
	"os"
	"path"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// shareCapacity is the size of every NAS volume: the lab has no model of filers.
const shareCapacity = 2 << 40

// shareUUID names the directory of a NAS volume: the same share is the same directory at every vCenter.
func shareUUID(host, remotePath string) string {
	return "nas-" + strings.NewReplacer("/", "_", ":", "_").Replace(host+remotePath)
}

func (s *share) volume() *types.HostNasVolume {
	hosts := s.spec.RemoteHostNames
	if len(hosts) == 0 {
		hosts = []string{s.spec.RemoteHost}
	}
	return &types.HostNasVolume{
		HostFileSystemVolume: types.HostFileSystemVolume{Type: s.spec.Type, Name: s.name, Capacity: shareCapacity},
		RemoteHost:           s.spec.RemoteHost, RemotePath: s.spec.RemotePath, UserName: s.spec.UserName, RemoteHostNames: hosts,
		SecurityType: s.spec.SecurityType, ProtocolEndpoint: types.NewBool(false),
	}
}

// CreateNasDatastore mounts a share. A host mounts a share once (AlreadyExists); the name means one share in a datacenter
// (DuplicateName).
func (o *hostDatastore) CreateNasDatastore(req *types.CreateNasDatastore) soap.HasFault {
	body := &methods.CreateNasDatastoreBody{}
	h, refused := o.vc.connected(req.This)
	if refused != nil {
		body.Fault_ = refused
		return body
	}
	ref, problem := o.mountShare(h, req.Spec)
	if problem != nil {
		body.Fault_ = fault(problem)
		return body
	}
	body.Res = &types.CreateNasDatastoreResponse{Returnval: ref}
	return body
}

func (o *hostDatastore) mountShare(h *simulator.HostSystem, spec types.HostNasVolumeSpec) (types.ManagedObjectReference, types.BaseMethodFault) {
	vc, none := o.vc, types.ManagedObjectReference{}
	if spec.RemoteHost == "" && len(spec.RemoteHostNames) > 0 {
		spec.RemoteHost = spec.RemoteHostNames[0]
	}
	for property, v := range map[string]string{"spec.remoteHost": spec.RemoteHost, "spec.remotePath": spec.RemotePath, "spec.localPath": spec.LocalPath} {
		if v == "" {
			return none, &types.InvalidArgument{InvalidProperty: property}
		}
	}
	if spec.Type == "" {
		spec.Type = string(types.HostFileSystemVolumeFileSystemTypeNFS)
	}
	if spec.AccessMode == "" {
		spec.AccessMode = string(types.HostMountModeReadWrite)
	}
	n := &share{spec: spec, name: path.Base(spec.LocalPath), uuid: shareUUID(spec.RemoteHost, spec.RemotePath)}
	dc := vc.datacenterOf(h.Self)
	if v := vc.volumeNamed(dc, n.name); v != nil && v.uuid != n.uuid {
		return none, &types.DuplicateName{Name: n.name, Object: v.ref}
	}
	if v := vc.lookup(dc, n.uuid); v != nil && v.name != n.name {
		return none, because(&types.AlreadyExists{Name: v.name}, "The share is mounted under that name.")
	}
	if err := os.MkdirAll(vc.lab.volumeDir(n.uuid), 0o700); err != nil {
		return none, new(types.HostConfigFault)
	}
	s := vc.lab.servers[h.Name]
	s.mu.Lock()
	for _, x := range s.shares {
		if x.uuid == n.uuid {
			s.mu.Unlock()
			return none, &types.AlreadyExists{Name: n.name}
		}
	}
	s.shares = append(s.shares, n)
	s.mu.Unlock()
	vc.lab.storageChanged(h.Name)
	return vc.lookup(dc, n.uuid).ref, nil
}
