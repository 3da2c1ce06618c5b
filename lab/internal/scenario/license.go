package scenario

import "time"

// License of a vCenter or of a host.
type License struct {
	// Name is the product, such as "VMware vSphere 7 Enterprise Plus".
	Name string `yaml:"name"`
	// Evaluation tells that it is no licence, but the time in which the product may be tried.
	Evaluation bool `yaml:"evaluation"`
	// Expires is how long after the start of the lab it ends, by the lab's clock: not scaled. 0 for never.
	Expires time.Duration `yaml:"expires"`
	// Expired tells that it ended an hour before the lab started.
	Expired bool `yaml:"expired"`
	// Features that it has, by key ("dvs", "drs", "vmotion"); without them it has all.
	Features []string `yaml:"features"`
}

// Ends is when it ends in a lab that started then; ok is false for one that never does.
func (l *License) Ends(start time.Time) (at time.Time, ok bool) {
	if l.Expired {
		return start.Add(-time.Hour), true
	}
	return start.Add(l.Expires), l.Expires != 0
}

// Features that a licence of vSphere may have or lack.
var Features = []string{"vmotion", "svmotion", "das", "drs", "dvs"}

// licenses gives the vCenter a licence, and each host: one that has joined is licensed, one that is free is as it was installed, with
// sixty days to try it.
func (v *VCenter) licenses() {
	if v.License == nil {
		v.License = &License{Name: "VMware vCenter Server Standard"}
	}
	joined := map[string]bool{}
	for _, dc := range v.Datacenters {
		for _, c := range dc.Clusters {
			for _, h := range c.Hosts {
				joined[h] = true
			}
		}
	}
	for i := range v.Hosts {
		h := &v.Hosts[i]
		switch {
		case h.License != nil:
		case joined[h.Name]:
			h.License = &License{Name: "VMware vSphere Enterprise Plus"}
		default:
			h.License = &License{Name: "Evaluation Mode", Evaluation: true, Expires: 60 * 24 * time.Hour}
		}
	}
}
