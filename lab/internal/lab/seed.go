package lab

import (
	"fmt"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// seedInfrastructure builds the inventory that a vCenter has when the lab starts, directly: no tasks, no durations.
func seedInfrastructure(vc *VC) error {
	root, ok := get[*simulator.Folder](vc, vc.Model.ServiceContent.RootFolder)
	if !ok {
		return fmt.Errorf("no root folder")
	}
	for i := range vc.Spec.Datacenters {
		if err := vc.seedDatacenter(root, &vc.Spec.Datacenters[i]); err != nil {
			return err
		}
	}
	return nil
}

func (vc *VC) seedDatacenter(root *simulator.Folder, spec *scenario.Datacenter) error {
	dc := vc.newDatacenter(root, spec.Name)
	hosts, _ := get[*simulator.Folder](vc, dc.HostFolder)
	machines, _ := get[*simulator.Folder](vc, dc.VmFolder)
	for _, path := range spec.Folders {
		f := machines
		for name := range strings.SplitSeq(path, "/") {
			f = vc.subfolder(f, name)
		}
	}
	for _, a := range spec.CustomAttributes {
		vc.fieldKey(a)
	}
	for i := range spec.Clusters {
		if err := vc.seedCluster(hosts, spec, &spec.Clusters[i]); err != nil {
			return err
		}
	}
	return nil
}

// subfolder returns the folder of that name in another, a new one if there is none.
func (vc *VC) subfolder(parent *simulator.Folder, name string) *simulator.Folder {
	if f, ok := vc.childNamed(parent, name).(*simulator.Folder); ok {
		return f
	}
	f := &simulator.Folder{}
	f.Name, f.ChildType = name, parent.ChildType
	vc.insert(parent, f)
	return f
}

func (vc *VC) seedCluster(f *simulator.Folder, dc *scenario.Datacenter, spec *scenario.Cluster) error {
	c := vc.newCluster(f, spec.Name, &types.ClusterConfigSpecEx{
		DasConfig: seedHA(&spec.HA), DrsConfig: seedDRS(&spec.DRS),
	})
	if spec.EVC != "" {
		if vc.highestEVC(spec.EVC) != spec.EVC {
			return fmt.Errorf("cluster %s: vCenter Server %s has no EVC mode %s", spec.Name, vc.Spec.Version, spec.EVC)
		}
		vc.setClusterEVC(c, nil, spec.EVC)
	}
	for i := range spec.Pools {
		pool, _ := get[*simulator.ResourcePool](vc, *c.ResourcePool)
		for name := range strings.SplitSeq(spec.Pools[i].Path, "/") {
			pool = vc.subpool(pool, name)
		}
		vc.seedPool(pool, &spec.Pools[i])
	}
	groups := []types.HostPortGroupSpec{}
	for _, n := range dc.Networks {
		groups = append(groups, types.HostPortGroupSpec{Name: n.Name, VlanId: int32(n.VLAN), VswitchName: "vSwitch0"})
	}
	vc.site.mu.Lock()
	defer vc.site.mu.Unlock()
	for _, name := range spec.Hosts {
		s := vc.lab.servers[name]
		if problem := vc.admitEVC(s, spec.EVC); problem != nil {
			return fmt.Errorf("cluster %s: %s", spec.Name, describe(problem))
		}
		if other := s.claim(vc, false); other != nil {
			return fmt.Errorf("host %s is in the cluster of another vCenter", name)
		}
		s.network = vc.freshNetwork(s, groups)
		h := vc.joinCluster(s, c, true)
		if problem := vc.selectVnic(h, "vmotion", managementVnic, true); problem != nil {
			return fmt.Errorf("host %s: %s", name, describe(problem))
		}
	}
	return nil
}

// subpool returns the pool of that name in another, a new one if there is none.
func (vc *VC) subpool(parent *simulator.ResourcePool, name string) *simulator.ResourcePool {
	var refs []types.ManagedObjectReference
	vc.read(parent, func() { refs = parent.ResourcePool.ResourcePool })
	if p, ok := vc.named(name, refs).(*simulator.ResourcePool); ok {
		return p
	}
	return vc.newPool(parent, name, parent.Owner)
}
