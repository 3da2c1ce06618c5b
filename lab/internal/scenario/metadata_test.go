package scenario

import (
	"os"
	"strings"
	"testing"
)

const metadata = "../../../tests/scenarios/metadata.yaml"

func TestShortAndLongForms(t *testing.T) {
	s, err := Load(metadata)
	if err != nil {
		t.Fatal(err)
	}
	long := s.VCenters[0].Datacenters[0].Clusters[0]
	if !long.HA.Enabled || long.HA.Admission.CPUPercent != 50 || long.DRS.Automation != "fullyAutomated" {
		t.Errorf("%+v %+v", long.HA, long.DRS)
	}
	if p := long.Pools[1]; p.Path != "production/databases" || p.CPU.Shares != "6000" || *p.CPU.Limit != 24000 || *p.Memory.Expandable {
		t.Errorf("%+v", p)
	}
	if p := long.Pools[2]; p.Path != "test" || p.CPU != nil {
		t.Errorf("%+v", p)
	}
	if s, err = Load(lab); err != nil {
		t.Fatal(err)
	}
	if short := s.VCenters[0].Datacenters[0].Clusters[0]; !short.HA.Enabled || short.HA.Admission != nil || !short.DRS.Enabled || len(short.PoolPaths()) != 3 {
		t.Errorf("%+v", short)
	}
}

// Each case changes one place of the scenario with metadata and names what the report must say.
func TestMistakesOfMetadata(t *testing.T) {
	good, err := os.ReadFile(metadata)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"principal", `{name: 'LAB\sato'}`, `{name: sato}`, `"sato" is not a principal`},
		{"principal twice", `{name: 'LAB\sato'}`, `{name: 'lab\DBA'}`, `is used twice`},
		{"privilege", "VirtualMachine.State.CreateSnapshot]", "VirtualMachine.State.Fly]", `"VirtualMachine.State.Fly" is not a privilege id`},
		{"system role", "{name: vm-operator,", "{name: Admin,", `"Admin" is used twice`},
		{"lacks", "    principals:", "    lacks: [System.Read]\n    principals:", "every role has System.Read"},
		{"holds", "    principals:", "    holds: [Datastore.Brows]\n    principals:", `holds[0]: "Datastore.Brows" is not a privilege id`},
		{"holds and lacks", "    principals:", "    holds: [Datastore.Browse]\n    lacks: [Datastore.Move]\n    principals:", "either holds or lacks"},
		{"tags before 6.5", `version: "6.7.0"`, `version: "6.0.0"`, "vCenter 6.0.0 serves no tags"},
		{"cardinality", "cardinality: single", "cardinality: one", `"one" is not known; allowed: single, multiple`},
		{"two of a single category", "tags: [tier/gold,", "tags: [tier/gold, tier/silver,", `"tier" is used twice`},
		{"vm tag", "tags: [tier/gold,", "tags: [tier/lead,", `"tier/lead" is not known; allowed: tier/gold, tier/silver`},
		{"vm principal", `{principal: 'LAB\sato', role`, `{principal: 'LAB\dba', role`, `"LAB\\dba" is not known; allowed: LAB\sato`},
		{"vm role", "role: ReadOnly", "role: Reader", `"Reader" is not known; allowed: vm-operator, Admin`},
		{"priority", "restartPriority: high", "restartPriority: urgent", `"urgent" is not known`},
		{"isolation", "isolationResponse: none", "isolationResponse: panic", `"panic" is not known`},
		{"behavior", "behavior: manual", "behavior: wild", `"wild" is not known; allowed: manual`},
		{"shares", "memory: {shares: low", "memory: {shares: few", `memory.shares: "few" is not known; allowed: high, normal, low`},
		{"limit", "limit: 24000", "limit: 2400", "must be -1 (none) or at least the reservation (4000), is 2400"},
		{"pools without DRS", "drs: {enabled: true, automation: fullyAutomated}", "drs: false", "a cluster without DRS has no resource pools"},
		{"automation", "automation: fullyAutomated", "automation: half", `drs.automation: "half" is not known`},
		{"admission", "cpuPercent: 50, memoryPercent: 50", "cpuPercent: 50, hostFailures: 1", "either hostFailures or percentages"},
		{"percent", "cpuPercent: 50", "cpuPercent: 500", "must be 0 to 100, is 500"},
		{"group member", "vms: [app01, app02]}\n              - {name: licensed", "vms: [app01, app03]}\n              - {name: licensed", `"app03" is not known; allowed: app01, app02, db01`},
		{"group of nothing", "{name: licensed-hosts, hosts: [esx60-1.lab]}", "{name: licensed-hosts}", "a group is of VMs or of hosts"},
		{"rule of one", "kind: affinity, vms: [app01, app02]", "kind: affinity, vms: [app01]", "a rule of VMs needs at least two"},
		{"rule kind", "kind: antiAffinity", "kind: apart", `"apart" is not known; allowed: affinity, antiAffinity, vmHost`},
		{"rule group", "hostGroup: licensed-hosts", "hostGroup: app-vms", `"app-vms" is not known; allowed: licensed-hosts`},
		{"rule twice", "name: app-not-with-db", "name: app-together", `"app-together" is used twice`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(string(good), c.old) {
				t.Fatalf("the scenario has no %q", c.old)
			}
			_, err := Parse("m.yaml", []byte(strings.Replace(string(good), c.old, c.new, 1)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant it to say %q", err, c.want)
			}
		})
	}
}
