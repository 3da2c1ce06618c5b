package scenario

// TagCategory is a category of a vCenter with its tags. Tags exist from vCenter 6.5 on.
type TagCategory struct {
	// Category is the name.
	Category string `yaml:"category"`
	// Cardinality is "single" (an object has at most one tag of it) or "multiple".
	Cardinality string `yaml:"cardinality"`
	// Tags are the names of its tags.
	Tags []string `yaml:"tags"`
}

// Principal is a user or a group that the identity sources of a vCenter know.
type Principal struct {
	// Name with its domain, such as LAB\dba.
	Name string `yaml:"name"`
	// Group tells a group from a user.
	Group bool `yaml:"group"`
}

// Role is a set of privileges, in addition to the roles of every vCenter (Admin, ReadOnly, NoAccess …).
type Role struct {
	Name string `yaml:"name"`
	// Privileges are ids such as VirtualMachine.Interact.PowerOn.
	Privileges []string `yaml:"privileges"`
}

// Permission lets a principal do on a VM what a role says.
type Permission struct {
	Principal string `yaml:"principal"`
	Group     bool   `yaml:"group"`
	// Role by its name.
	Role string `yaml:"role"`
	// Propagate to children; a VM has none, and keeps the flag.
	Propagate bool `yaml:"propagate"`
}

// Pool is a resource pool; written as its path alone it has the defaults of vSphere.
type Pool struct {
	// Path below the cluster's root pool; parents are made as needed.
	Path   string      `yaml:"path"`
	CPU    *Allocation `yaml:"cpu"`
	Memory *Allocation `yaml:"memory"`
}

func (*Pool) shorthand() string { return "path" }

// Allocation is what a pool gets of the CPUs (MHz) or the memory (MB).
type Allocation struct {
	// Shares are "high", "normal" (the default), "low" or a number.
	Shares string `yaml:"shares"`
	// Reservation is guaranteed (0), Limit is never exceeded (-1: none).
	Reservation int64  `yaml:"reservation"`
	Limit       *int64 `yaml:"limit"`
	// Expandable lets the reservation grow with that of the parent (true).
	Expandable *bool `yaml:"expandable"`
}

// Rule is a DRS rule.
type Rule struct {
	Name string `yaml:"name"`
	// Kind is "affinity" or "antiAffinity" (of VMs), or "vmHost".
	Kind string `yaml:"kind"`
	// VMs by name, of a rule of VMs.
	VMs []string `yaml:"vms"`
	// VMGroup and HostGroup of a rule vmHost; Affine (true) says whether the VMs belong on the hosts or not on them.
	VMGroup   string `yaml:"vmGroup"`
	HostGroup string `yaml:"hostGroup"`
	Affine    *bool  `yaml:"affine"`
	// Enabled (true) and Mandatory, of a rule vmHost: "must" instead of "should".
	Enabled   *bool `yaml:"enabled"`
	Mandatory bool  `yaml:"mandatory"`
}

// Group is a DRS group, of VMs or of hosts.
type Group struct {
	Name  string   `yaml:"name"`
	VMs   []string `yaml:"vms"`
	Hosts []string `yaml:"hosts"`
}

// HA of a cluster; written as true or false it has the defaults of vSphere.
type HA struct {
	Enabled bool `yaml:"enabled"`
	// Admission control; one host failure if nothing is written.
	Admission *Admission `yaml:"admission"`
}

func (*HA) shorthand() string { return "enabled" }

// Admission is HA's admission control, by a number of hosts or by percentages.
type Admission struct {
	Enabled       *bool `yaml:"enabled"`
	HostFailures  int   `yaml:"hostFailures"`
	CPUPercent    int   `yaml:"cpuPercent"`
	MemoryPercent int   `yaml:"memoryPercent"`
}

// DRS of a cluster; written as true or false it is fully automated.
type DRS struct {
	Enabled bool `yaml:"enabled"`
	// Automation is "manual", "partiallyAutomated" or "fullyAutomated" (the default).
	Automation string `yaml:"automation"`
}

func (*DRS) shorthand() string { return "enabled" }

// HAOverride is what HA does with one VM.
type HAOverride struct {
	// RestartPriority is "disabled", "lowest" and "highest" (from 6.5 on), "low", "medium", "high" or "clusterRestartPriority".
	RestartPriority string `yaml:"restartPriority"`
	// IsolationResponse is "none", "powerOff", "shutdown" or "clusterIsolationResponse".
	IsolationResponse string `yaml:"isolationResponse"`
}

// DRSOverride is what DRS does with one VM.
type DRSOverride struct {
	// Behavior is "manual", "partiallyAutomated" or "fullyAutomated".
	Behavior string `yaml:"behavior"`
	Enabled  *bool  `yaml:"enabled"`
}

// PoolPaths are the paths of the cluster's pools.
func (c *Cluster) PoolPaths() (out []string) {
	for _, p := range c.Pools {
		out = append(out, p.Path)
	}
	return out
}

// RestartPriorities, IsolationResponses and Behaviors are what overrides may say.
var (
	RestartPriorities  = []string{"disabled", "lowest", "low", "medium", "high", "highest", "clusterRestartPriority"}
	IsolationResponses = []string{"none", "powerOff", "shutdown", "clusterIsolationResponse"}
	Behaviors          = []string{"manual", "partiallyAutomated", "fullyAutomated"}
)

// KnowsPriority reports whether HA of an API version has a restart priority.
func KnowsPriority(api, priority string) bool {
	return Compare(api, "6.5") >= 0 || priority != "lowest" && priority != "highest"
}
