package lab

import (
	"strings"

	"github.com/vmware/govmomi/simulator"
)

// guestToVMX writes a guest id of the API as a .vmx does: "rhel6_64Guest" is "rhel6-64", "windows8Server64Guest" is
// "windows8srv-64".
func guestToVMX(id string) string {
	v := strings.TrimSuffix(id, "Guest")
	wide := strings.HasSuffix(v, "64")
	v = strings.TrimSuffix(strings.TrimSuffix(v, "64"), "_")
	v = strings.ReplaceAll(strings.ToLower(v), "server", "srv")
	if wide {
		v += "-64"
	}
	return v
}

var guestIDs = func() map[string]string {
	m := map[string]string{}
	for _, g := range simulator.GuestID {
		m[guestToVMX(string(g))] = string(g)
	}
	return m
}()

// guestFromVMX is the opposite of guestToVMX.
func guestFromVMX(v string) (string, bool) {
	id, ok := guestIDs[strings.ToLower(v)]
	return id, ok
}

// guestNames are the full names of some guests; vCenter has one for each.
var guestNames = map[string]string{
	"rhel6_64Guest":         "Red Hat Enterprise Linux 6 (64-bit)",
	"rhel7_64Guest":         "Red Hat Enterprise Linux 7 (64-bit)",
	"centos6_64Guest":       "CentOS 6 (64-bit)",
	"centos7_64Guest":       "CentOS 7 (64-bit)",
	"centos64Guest":         "CentOS 4/5 or later (64-bit)",
	"debian8_64Guest":       "Debian GNU/Linux 8 (64-bit)",
	"ubuntu64Guest":         "Ubuntu Linux (64-bit)",
	"other3xLinux64Guest":   "Other 3.x or later Linux (64-bit)",
	"otherLinux64Guest":     "Other Linux (64-bit)",
	"otherGuest64":          "Other (64-bit)",
	"otherGuest":            "Other (32-bit)",
	"sles12_64Guest":        "SUSE Linux Enterprise 12 (64-bit)",
	"windows7Server64Guest": "Microsoft Windows Server 2008 R2 (64-bit)",
	"windows8Server64Guest": "Microsoft Windows Server 2012 (64-bit)",
	"windows9Server64Guest": "Microsoft Windows Server 2016 or later (64-bit)",
	"winNetEnterpriseGuest": "Microsoft Windows Server 2003 (32-bit)",
}

func guestName(id string) string {
	if n, ok := guestNames[id]; ok {
		return n
	}
	return strings.TrimSuffix(id, "Guest")
}

// guestFamily is what VMware Tools report.
func guestFamily(id string) string {
	if strings.HasPrefix(id, "win") {
		return "windowsGuest"
	}
	return "linuxGuest"
}
