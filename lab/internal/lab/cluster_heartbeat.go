package lab

import (
	"cmp"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// heartbeatsPerHost is how many heartbeat datastores vCenter chooses by itself (das.heartbeatDsPerHost).
const heartbeatsPerHost = 2

// RetrieveDasAdvancedRuntimeInfo says which datastores HA beats its heart on. vCenter chooses those that most hosts of the cluster
// have mounted; the ones that the configuration prefers come first, and are the only ones with userSelectedDs. It chooses anew
// when a datastore is unmounted.
func (o *cluster) RetrieveDasAdvancedRuntimeInfo(req *types.RetrieveDasAdvancedRuntimeInfo) soap.HasFault {
	body := &methods.RetrieveDasAdvancedRuntimeInfoBody{}
	c, ok := get[*simulator.ClusterComputeResource](o.vc, req.This)
	if !ok {
		body.Fault_ = fault(&types.ManagedObjectNotFound{Obj: req.This})
		return body
	}
	body.Res = new(types.RetrieveDasAdvancedRuntimeInfoResponse)
	var das types.ClusterDasConfigInfo
	var hosts []types.ManagedObjectReference
	o.vc.read(c, func() {
		das, hosts = c.ConfigurationEx.(*types.ClusterConfigInfoEx).DasConfig, slices.Clone(c.Host)
	})
	if !isTrue(das.Enabled) {
		return body
	}
	body.Res.Returnval = &types.ClusterDasAdvancedRuntimeInfo{HeartbeatDatastoreInfo: o.vc.heartbeats(hosts, &das)}
	return body
}

func (vc *VC) heartbeats(hosts []types.ManagedObjectReference, das *types.ClusterDasConfigInfo) []types.DasHeartbeatDatastoreInfo {
	if len(hosts) == 0 {
		return nil
	}
	var feasible []types.DasHeartbeatDatastoreInfo
	names := map[types.ManagedObjectReference]string{}
	for _, v := range vc.volumes(vc.datacenterOf(hosts[0])) {
		i := types.DasHeartbeatDatastoreInfo{Datastore: v.ref}
		for _, h := range hosts {
			if v.hosts[h] {
				i.Hosts = append(i.Hosts, h)
			}
		}
		preferred := slices.Contains(das.HeartbeatDatastore, v.ref)
		if len(i.Hosts) > 1 && (preferred || das.HBDatastoreCandidatePolicy != string(types.ClusterDasConfigInfoHBDatastoreCandidateUserSelectedDs)) {
			feasible, names[v.ref] = append(feasible, i), v.name
		}
	}
	rank := func(i types.DasHeartbeatDatastoreInfo) int {
		if slices.Contains(das.HeartbeatDatastore, i.Datastore) {
			return -1 - len(hosts)
		}
		return -len(i.Hosts)
	}
	slices.SortFunc(feasible, func(a, b types.DasHeartbeatDatastoreInfo) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(names[a.Datastore], names[b.Datastore]))
	})
	return feasible[:min(heartbeatsPerHost, len(feasible))]
}
