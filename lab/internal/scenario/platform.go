package scenario

import (
	"strconv"
	"strings"
)

// CPUs are the processor generations that a host may have, each named by the highest EVC mode it supports, oldest first within
// a vendor. Source: the list of EVC keys in docs/vsphere-facts.md.
var CPUs = []string{
	"intel-merom", "intel-penryn", "intel-nehalem", "intel-westmere", "intel-sandybridge", "intel-ivybridge", "intel-haswell",
	"intel-broadwell", "intel-skylake", "intel-cascadelake", "intel-icelake", "intel-sapphirerapids",
	"amd-rev-e", "amd-rev-f", "amd-greyhound-no3dnow", "amd-greyhound", "amd-bulldozer", "amd-piledriver", "amd-steamroller",
	"amd-zen", "amd-zen2", "amd-zen3", "amd-zen4",
}

// hardware is the highest virtual hardware version by ESXi version. Source: govmomi vim25/types/esxi_version.go; 6.7 U2 (15) is
// not told apart from 6.7, since both call themselves 6.7.0.
var hardware = []struct {
	esxi    string
	version int
}{
	{"5.5", 10}, {"6.0", 11}, {"6.5", 13}, {"6.7", 14}, {"7.0.0", 17}, {"7.0.1", 18}, {"7.0.2", 19}, {"7.0.3", 19}, {"8.0.0", 20}, {"8.0.2", 21},
}

// MaxHardware returns the highest virtual hardware version that an ESXi version runs, or 0 for one the lab does not know.
func MaxHardware(esxi string) int {
	best := 0
	for _, h := range hardware {
		if major(h.esxi) == major(esxi) && Compare(h.esxi, esxi) <= 0 {
			best = h.version
		}
	}
	return best
}

func major(version string) string {
	p := strings.SplitN(version, ".", 3)
	return strings.Join(p[:min(2, len(p))], ".")
}

// Compare compares dotted versions by number: negative if a is older than b.
func Compare(a, b string) int {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(x), len(y)) {
		var m, n int
		if i < len(x) {
			m, _ = strconv.Atoi(x[i])
		}
		if i < len(y) {
			n, _ = strconv.Atoi(y[i])
		}
		if m != n {
			return m - n
		}
	}
	return 0
}

// SwitchVersions are the versions of distributed switches, by the oldest ESXi that can be a member.
var SwitchVersions = []string{"5.0.0", "5.1.0", "5.5.0", "6.0.0", "6.5.0", "6.6.0", "7.0.0", "7.0.2", "7.0.3", "8.0.0"}
