package scenario

import (
	"os"
	"strings"
	"testing"
)

func TestMistakesOfWhatIsHardToMove(t *testing.T) {
	good, err := os.ReadFile("../../../tests/scenarios/blocked.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse("blocked.yaml", good); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"device", "devices: [serial]", "devices: [modem]", `devices[0]: "modem" is not known; allowed: passthrough, sriov`},
		{"device twice", "devices: [serial]", "devices: [serial, serial]", `"serial" is used twice`},
		{"unreserved", "devices: [vgpu], reservation: {memoryLocked: true}", "devices: [vgpu]", "has all memory reserved"},
		{"vtpm", "devices: [serial]", "devices: [vtpm]", "needs encrypted: true and virtual hardware 14"},
		{"encrypted", "devices: [serial]", "encrypted: true", "vCenter 6.0.0 knows no encryption"},
		{"latency", "devices: [serial]", "latencySensitivity: high", "high needs all memory reserved"},
		{"question", "power: suspended", "power: suspended, question: why", "only a running VM asks"},
		{"evc", "devices: [serial]", "evc: intel-haswell", "esx60-1.lab (intel-ivybridge) has not the features of intel-haswell"},
		{"evc mode", "devices: [serial]", "evc: i486", `evc: "i486" is not known`},
		{"iso", "[old-stays] iso/driver.iso", "iso/driver.iso", "is not a file of a datastore"},
		{"iso datastore", "[old-stays] iso/driver.iso", "[old-x] iso/driver.iso", `iso: "old-x" is not known`},
		{"one drive", "toolsInstaller: true", "toolsInstaller: true, cdrom: host", "there is one CD drive"},
		{"link", "linkedTo: clone-parent01", "linkedTo: plain01", `"plain01" is no VM with a snapshot`},
		{"link size", "size: 10, used: 1, linkedTo", "size: 11, used: 1, linkedTo", "as large as its parent: 10"},
		{"sharing", "sharing: multiWriter", "sharing: everybody", `sharing: "everybody" is not known; allowed: multiWriter`},
		{"shared and tracked", "used: 5, sharing: multiWriter}]", "used: 5, sharing: multiWriter}], cbt: true", "no changed block tracking"},
		{"fault tolerant", "faultTolerance: true", "faultTolerance: true, snapshots: [s]", "neither suspended nor has it snapshots"},
		{"orphan", `power: "off", orphan`, "orphan", "no host runs an orphan"},
		{"bios", "devices: [serial]", "bios: 42", "is not a UUID"},
		{"mac", "nics: [{network: Isolated}]", "nics: [{network: Isolated, mac: 00-00}]", "is not a MAC address"},
		{"local", "datastore-local01, site: source, datacenter: tokyo6, cluster: prod6, host: esx60-1.lab", "datastore-local01, site: source, datacenter: tokyo6, cluster: prod6, host: esx60-2.lab", "local-1 is not presented to host esx60-2.lab"},
		{"local name", "name: local-1", "name: old-a", `"old-a" is used twice`},
		{"pod", "customAttributes: [owner]", "customAttributes: [owner]\n        storagePods: [{name: p, datastores: [old-x]}]", `storagePods[0].datastores[0]: "old-x" is not known`},
		{"reservation", "power: suspended", "power: suspended, reservation: {memory: 5}", "is more than the VM's memory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(string(good), c.old) {
				t.Fatalf("the scenario has no %q", c.old)
			}
			_, err := Parse("blocked.yaml", []byte(strings.Replace(string(good), c.old, c.new, 1)))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant it to say %q", err, c.want)
			}
		})
	}
}
