package lab

import (
	"os"
	"path"
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// shareCapacity is the size of every NAS volume: the lab has no model of filers.
const shareCapacity = 2 << 40

// shareUUID names the directory of a NAS volume: the same share is the same directory at every vCenter. To ESXi another spelling
// of the server's address is another file system; the order in which the addresses of an NFS 4.1 server are given is not.
func shareUUID(servers []string, remotePath string) string {
	names := slices.Sorted(slices.Values(servers))
	return "nas-" + strings.NewReplacer("/", "_", ":", "_", ",", "_").Replace(strings.Join(names, ",")+remotePath)
}

// servers are the addresses that a mount names: NFS 4.1 has a list of its own.
func servers(host string, hosts []string) []string {
	if len(hosts) == 0 {
		return []string{host}
	}
	return hosts
}

// addExports makes the directories of the scenario's exports, and lets those hosts mount them that have at the start.
func (l *Lab) addExports() error {
	for i := range l.Scenario.NFS {
		e := &l.Scenario.NFS[i]
		uuid := shareUUID(e.Servers, e.Path)
		if err := os.MkdirAll(l.volumeDir(uuid), 0o700); err != nil {
			return err
		}
		spec := types.HostNasVolumeSpec{RemoteHost: e.Servers[0], RemotePath: e.Path, AccessMode: string(types.HostMountModeReadWrite), Type: e.Type()}
		if spec.Type == string(types.HostFileSystemVolumeFileSystemTypeNFS41) {
			spec.RemoteHostNames, spec.SecurityType = e.Servers, string(types.HostNasVolumeSecurityTypeAUTH_SYS)
		}
		for _, h := range e.Mounted {
			l.servers[h].shares = append(l.servers[h].shares, &share{spec: spec, name: e.Name, uuid: uuid})
		}
	}
	return nil
}

// denied says why the server does not let a host mount what it asks for.
func (l *Lab) denied(host string, spec *types.HostNasVolumeSpec) types.BaseMethodFault {
	no := func(why string) types.BaseMethodFault {
		return because(new(types.HostConfigFault), "Mount of %s:%s failed: %s.", spec.RemoteHost, spec.RemotePath, why)
	}
	wanted := servers(spec.RemoteHost, spec.RemoteHostNames)
	for i := range l.Scenario.NFS {
		e := &l.Scenario.NFS[i]
		if e.Path != spec.RemotePath || slices.ContainsFunc(wanted, func(s string) bool { return !slices.Contains(e.Servers, s) }) {
			continue
		}
		switch {
		case e.Type() != spec.Type:
			return no("the server does not offer this version of NFS")
		case strings.HasPrefix(spec.SecurityType, "SEC_KRB5"):
			return no("the host has no Kerberos credentials")
		case !slices.Contains(e.Hosts, host):
			return no("the mount request was denied by the NFS server; see its exports")
		}
		return nil
	}
	return no("unable to complete the operation; the server has no such export, or does not answer")
}

func (s *share) volume() *types.HostNasVolume {
	return &types.HostNasVolume{
		HostFileSystemVolume: types.HostFileSystemVolume{Type: s.spec.Type, Name: s.name, Capacity: shareCapacity},
		RemoteHost:           s.spec.RemoteHost, RemotePath: s.spec.RemotePath, UserName: s.spec.UserName, RemoteHostNames: servers(s.spec.RemoteHost, s.spec.RemoteHostNames),
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
	// NFS 4.1 has its addresses there; of NFS 3 it is left out, or the same as remoteHost (API reference, HostNasVolumeSpec).
	four, same := spec.Type == string(types.HostFileSystemVolumeFileSystemTypeNFS41), slices.Equal(spec.RemoteHostNames, []string{spec.RemoteHost})
	if four && len(spec.RemoteHostNames) == 0 || !four && len(spec.RemoteHostNames) > 0 && !same {
		return none, &types.InvalidArgument{InvalidProperty: "spec.remoteHostNames"}
	}
	if refused := vc.lab.denied(h.Name, &spec); refused != nil {
		return none, refused
	}
	n := &share{spec: spec, name: path.Base(spec.LocalPath), uuid: shareUUID(servers(spec.RemoteHost, spec.RemoteHostNames), spec.RemotePath)}
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
