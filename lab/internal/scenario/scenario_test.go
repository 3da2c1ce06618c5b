package scenario

import (
	"os"
	"strings"
	"testing"
	"time"
)

const lab = "../../scenarios/lab.yaml"

func TestTheDefaultScenarioIsValid(t *testing.T) {
	s, err := Load(lab)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.VMs) != 16 || len(s.VCenters) != 2 || s.Durations.Boot != 50*time.Second {
		t.Errorf("%d VMs, %d vCenters, boot %s", len(s.VMs), len(s.VCenters), s.Durations.Boot)
	}
	byName := map[string]VM{}
	for _, vm := range s.VMs {
		byName[vm.Name] = vm
	}
	if vm := byName["app01"]; vm.CPUs != 2 || vm.Memory != 4 || vm.Hardware != 11 || vm.Power != "on" || vm.Tools != "running" || !*vm.NICs[0].Connected {
		t.Errorf("defaults: %+v", vm)
	}
	if *byName["archive01"].NICs[0].Connected {
		t.Error("connected: false is lost")
	}
	if vm := byName["file01"]; vm.Durations.Shutdown != 4*time.Minute || vm.Durations.Boot != 50*time.Second {
		t.Errorf("durations: %+v", vm.Durations)
	}
	if byName["tmpl-rhel6"].Power != "off" {
		t.Error("a template is off by default")
	}
}

func TestTheLiveScenarioIsValid(t *testing.T) {
	s, err := Load("../../scenarios/lab-live.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if len(s.VMs) != 16 || s.VCenters[0].Version != "6.7.0" || s.VCenters[0].Hosts[0].VMotion != nil || s.VCenters[1].Hosts[0].VMotion != nil || s.VCenters[1].Hosts[0].NIC != 10000 {
		t.Errorf("%d VMs, %+v", len(s.VMs), s.VCenters)
	}
}

// Each case changes one place of the default scenario and names what the report must say.
func TestMistakes(t *testing.T) {
	good, err := os.ReadFile(lab)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"not yaml", "arrays:", "arrays: [", "this is not YAML"},
		{"unknown key", "timescale: 60", "timescales: 60", "timescales: unknown key; allowed here: name, seed, timescale"},
		{"unknown key deep", "{name: DMZ, vlan: 30}", "{name: DMZ, vlans: 30}", "networks[1].vlans: unknown key; allowed here: name, vlan"},
		{"duration", "register: 4s", "register: 4 apples", `durations.register: "4 apples" is not a duration`},
		{"number", "bandwidth: 800", "bandwidth: fast", `arrays[0].bandwidth: "fast" is not a number`},
		{"whole number", "size: 2048, vmfs: {name: old-fc-01", "size: 1.5, vmfs: {name: old-fc-01", `is not a whole number`},
		{"bool", "drs: true", "drs: 7", "neither true nor false"},
		{"list", "pools: [production, production/databases, test]", "pools: production", "pools: a list is expected"},
		{"twice", "seed: 60", "seed: 60\nseed: 61", "seed: the key is written twice"},
		{"naa", "b00001,", "b0000,", "is not a device name"},
		{"vmfs version", "old-fc-02, version: 5", "old-fc-02, version: 4", "vmfs.version: must be 3, 5 or 6, is 4"},
		{"label twice", "name: old-fc-02, version", "name: old-fc-01, version", `"old-fc-01" is used twice`},
		{"array", "{array: new-powerstore", "{array: newer", `"newer" is not known; allowed: new-powerstore, old-vnx`},
		{"presented host", "hosts: [esx70-1.lab, esx70-2.lab, esx70-3.lab]}\n\nvcenters", "hosts: [esx99]}\n\nvcenters", `"esx99" is not known`},
		{"listen", "listen: 127.0.0.1:8460", "listen: 10.0.0.1:8460", "is not an address of this machine"},
		{"cpu", "cpu: intel-ivybridge, cores: 16, mhz: 2600, memory: 256, password: esx60-root}\n      - {name: esx60-2", "cpu: z80, cores: 16, mhz: 2600, memory: 256, password: esx60-root}\n      - {name: esx60-2", `"z80" is not known; allowed: intel-merom`},
		{"esxi", `esx60-1.lab, version: "6.0.0"`, `esx60-1.lab, version: "4.1"`, "is not a version of ESXi"},
		{"evc above the host", "evc: intel-ivybridge", "evc: intel-haswell", "cannot be in a cluster with EVC mode intel-haswell"},
		{"vm vcenter", "app01, site: source", "app01, site: sauce", `vms[0].site: "sauce" is not known; allowed: source, target`},
		{"vm folder", "folder: apps/web", "folder: apps/wab", `"apps/wab" is not known; allowed: apps, apps/web, databases`},
		{"vm pool", "pool: production/databases, cpus: 8, memory: 64,\n     disks: [{datastore: old-fc-03, size: 60, used: 30}", "pool: x, cpus: 8, memory: 64,\n     disks: [{datastore: old-fc-03, size: 60, used: 30}", `"x" is not known; allowed: production, production/databases, test`},
		{"vm network", "[{network: VM Network, type: e1000e}]", "[{network: LAN, type: e1000e}]", `"LAN" is not known; allowed: VM Network, DMZ`},
		{"vm datastore", "old-fc-04, size: 300, used: 70", "old-fc-05, size: 300, used: 70", `"old-fc-05" is not known`},
		{"used", "size: 300, used: 70", "size: 300, used: 700", "used: must be 0 to the disk's size (300), is 700"},
		{"guest", "guest: winNetEnterpriseGuest", "guest: windows3", "is not a guest id"},
		{"hardware", "hardware: 8", "hardware: 13", "which has virtual hardware up to 11"},
		{"power", "power: \"off\",\n     disks: [{datastore: old-fc-04", "power: standby,\n     disks: [{datastore: old-fc-04", `"standby" is not known; allowed: on, off, suspended`},
		{"template on", "template: true,", "template: true, power: on,", "a template is always off"},
		{"attribute", "{owner: tanaka}", "{boss: tanaka}", `"boss" is not known; allowed: owner, cost-centre`},
		{"nic", "cores: 32,", "cores: 32, nic: -1,", "nic: must be above 0, is -1"},
		{"licence", "cores: 32,", "cores: 32, license: {name: x, features: [fly]},", `license.features[0]: "fly" is not known; allowed: vmotion, svmotion, das, drs, dvs`},
		{"evaluation", "cores: 32,", "cores: 32, license: {name: x, evaluation: true},", "license.expires: an evaluation ends; say when"},
		{"ended", "cores: 32,", "cores: 32, license: {name: x, expires: 1h, expired: true},", "license.expires: it has ended already"},
		{"no time server", "ntp: [ntp1.lab],", "ntpStopped: true,", "ntpStopped: there are no time servers"},
		{"network's switch", "{name: DMZ, vlan: 30}", "{name: DMZ, vlan: 30, switch: dvs}", `networks[1].switch: "dvs" is not known`},
		{"switch version", "        customAttributes: [", "        switches: [{name: dvs, version: six}]\n        customAttributes: [", `switches[0].version: "six" is not known; allowed: 5.0.0`},
		{"switch too new", "        customAttributes: [", "        switches: [{name: dvs, version: 6.5.0}]\n        customAttributes: [", "vCenter 6.0.0 has no switches of version 6.5.0"},
		{"switch newer than a host", "        customAttributes: [", "        switches: [{name: dvs, version: 6.5.0}]\n        customAttributes: [", "esx60-1.lab runs ESXi 6.0.0 and cannot be a member"},
		{"switch named as a network", "        customAttributes: [", "        switches: [{name: DMZ, version: 6.0.0}]\n        customAttributes: [", `"DMZ" is used twice`},
		{"ip", "ips: [10.20.0.81]", "ips: [10.20.0.810]", "is not an IP address"},
		{"name twice", "name: app02", "name: app01", `vms[1].name: "app01" is used twice`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(string(good), c.old) {
				t.Fatalf("the default scenario has no %q", c.old)
			}
			_, err := Parse("lab.yaml", []byte(strings.Replace(string(good), c.old, c.new, 1)))
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "lab.yaml: line ") {
				t.Errorf("got %v\nwant it to say %q", err, c.want)
			}
			if !IsProblem(err) {
				t.Error("not reported as a problem of the file")
			}
		})
	}
}

func TestAllMistakesComeTogetherWithTheirLines(t *testing.T) {
	_, err := Parse("x.yaml", []byte("name: x\nseed: a\ntimescale: b\nfoo: 1\n"))
	want := "x.yaml: line 2: seed: \"a\" is not a whole number\nx.yaml: line 3: timescale: \"b\" is not a number\nx.yaml: line 4: foo: unknown key"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
	if _, err := Load("/does/not/exist.yaml"); err == nil || IsProblem(err) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestSessionTimeout(t *testing.T) {
	text, err := os.ReadFile(lab)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := Parse("lab", text); err != nil || s.SessionTimeout != 0 {
		t.Errorf("by default: %v %v", s, err)
	}
	if s, err := Parse("lab", append([]byte("sessionTimeout: 30m\n"), text...)); err != nil || s.SessionTimeout != 30*time.Minute {
		t.Errorf("%v", err)
	}
	if _, err := Parse("lab", append([]byte("sessionTimeout: -1s\n"), text...)); err == nil {
		t.Error("a negative one")
	}
}
