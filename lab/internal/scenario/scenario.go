// Package scenario reads the description of a lab: its arrays, its fabric, its vCenters and its virtual machines.
//
// The format is documented for users in lab/README.md; every mistake is reported with its line and with what is allowed.
package scenario

import "time"

// Scenario is one whole lab.
type Scenario struct {
	// Name of the scenario, for messages only.
	Name string `yaml:"name"`
	// Seed of every certificate, UUID and MAC address: the same scenario gives the same site every time.
	Seed int64 `yaml:"seed"`
	// Timescale divides every duration: 60 makes one minute of the site last one second of the lab.
	Timescale float64 `yaml:"timescale"`
	// SessionTimeout ends a session that makes no call for so long, by the lab's clock: not scaled. 0 for never.
	SessionTimeout time.Duration `yaml:"sessionTimeout"`
	// Durations of operations at the real site, before Timescale.
	Durations Durations `yaml:"durations"`
	// Arrays with their LUNs.
	Arrays []Array `yaml:"arrays"`
	// Fabric says which host may see which LUN.
	Fabric Fabric `yaml:"fabric"`
	// NFS are the exports of NFS servers.
	NFS []Export `yaml:"nfs"`
	// Depots are offline bundles of ESXi on datastores.
	Depots []Depot `yaml:"depots"`
	// VCenters of the lab, each served over HTTPS.
	VCenters []VCenter `yaml:"vcenters"`
	// VMs that exist when the lab starts.
	VMs []VM `yaml:"vms"`
}

// Durations of the operations of a real site. A VM may override those of its guest.
type Durations struct {
	// Register is the time RegisterVM_Task takes.
	Register time.Duration `yaml:"register"`
	// Unregister is the time UnregisterVM takes.
	Unregister time.Duration `yaml:"unregister"`
	// Reconfigure is the time ReconfigVM_Task takes.
	Reconfigure time.Duration `yaml:"reconfigure"`
	// PowerOn is the time until a VM counts as powered on.
	PowerOn time.Duration `yaml:"powerOn"`
	// PowerOff is the time PowerOffVM_Task takes.
	PowerOff time.Duration `yaml:"powerOff"`
	// Boot is the time from powered on to VMware Tools running.
	Boot time.Duration `yaml:"boot"`
	// Shutdown is the time from ShutdownGuest to powered off.
	Shutdown time.Duration `yaml:"shutdown"`
	// VMotion is the time a change of host adds to a relocation.
	VMotion time.Duration `yaml:"vmotion"`
	// Rescan is the time a rescan of HBAs or of VMFS volumes takes.
	Rescan time.Duration `yaml:"rescan"`
	// Update is the time in which a host installs an image beside the one that it runs.
	Update time.Duration `yaml:"update"`
	// Reboot is the time from a host's last sign until vCenter hears from it again.
	Reboot time.Duration `yaml:"reboot"`
	// Other is the time of every other task.
	Other time.Duration `yaml:"other"`
}

// Array is a storage array.
type Array struct {
	// Name of the array, referred to by the fabric.
	Name string `yaml:"name"`
	// Bandwidth in MB/s, shared by all copies that read from or write to the array.
	Bandwidth float64 `yaml:"bandwidth"`
	// LUNs of the array.
	LUNs []LUN `yaml:"luns"`
}

// LUN is one logical unit of an array.
type LUN struct {
	// NAA is the identifier of the device: "naa." and 16 or 32 hexadecimal digits.
	NAA string `yaml:"naa"`
	// Size in GiB.
	Size int64 `yaml:"size"`
	// VMFS volume on the LUN; a LUN without one is blank.
	VMFS *VMFS `yaml:"vmfs"`
	// Unresolved lists the hosts that hold the volume back as a copy (its recorded disk id differs from the device's).
	Unresolved []string `yaml:"unresolved"`
}

// VMFS is a volume.
type VMFS struct {
	// Name is the label, and the name of the datastore where it is free.
	Name string `yaml:"name"`
	// Version is 3, 5 or 6.
	Version int `yaml:"version"`
	// SIOC switches Storage I/O Control on, at every vCenter that has the volume mounted when the lab starts.
	SIOC bool `yaml:"sioc"`
}

// Fabric is the Fibre Channel fabric between hosts and arrays.
type Fabric struct {
	// Presentation lists which hosts may see an array. A host sees nothing new before it rescans its HBAs.
	Presentation []Presentation `yaml:"presentation"`
	// Switches are those that decide by their zoning who reaches whom: see zoning.go. Without any, everybody reaches everybody.
	Switches []FCSwitch `yaml:"switches"`
}

// Presentation lets hosts see an array.
type Presentation struct {
	// Array is the name of the array.
	Array string `yaml:"array"`
	// LUNs limits the presentation to some LUNs (by NAA); without it all LUNs of the array are meant.
	LUNs []string `yaml:"luns"`
	// Hosts that may see them.
	Hosts []string `yaml:"hosts"`
}

// VCenter is one vCenter Server, with the hosts that it has or could have.
type VCenter struct {
	// Name of the vCenter in this lab ("source", "target"), and the CN of its certificate.
	Name string `yaml:"name"`
	// Listen is the address to serve on; with --any-port a free port of that address is taken.
	Listen string `yaml:"listen"`
	// Version of the product, such as "6.0.0".
	Version string `yaml:"version"`
	// Build of the product.
	Build string `yaml:"build"`
	// API version, such as "6.0" or "7.0.3.0".
	API string `yaml:"api"`
	// Username and Password that are accepted; every other pair is refused.
	Username string `yaml:"username"`
	Password string `yaml:"password"`
	// Hosts that exist; those in no cluster can be added.
	Hosts []Host `yaml:"hosts"`
	// Tags by category, Principals and Roles for permissions: see metadata.go.
	Tags       []TagCategory `yaml:"tags"`
	Principals []Principal   `yaml:"principals"`
	Roles      []Role        `yaml:"roles"`
	// Lacks are privilege ids that the user does not have; it has all others.
	Lacks []string `yaml:"lacks"`
	// Holds are the only privilege ids that the user has, beside those of every role.
	Holds []string `yaml:"holds"`
	// Datacenters that exist when the lab starts.
	Datacenters []Datacenter `yaml:"datacenters"`
	// ClockSkew is how far the vCenter's clock is ahead of the true time.
	ClockSkew time.Duration `yaml:"clockSkew"`
	// License of the vCenter: by default one that never ends.
	License *License `yaml:"license"`
}

// Host is one ESXi server.
type Host struct {
	// Name is the host name by which it is added.
	Name string `yaml:"name"`
	// Version and Build of ESXi.
	Version string `yaml:"version"`
	Build   string `yaml:"build"`
	// CPU generation, as the highest EVC mode it supports, such as "intel-ivybridge".
	CPU string `yaml:"cpu"`
	// Cores of the host, and the frequency of each in MHz.
	Cores int `yaml:"cores"`
	MHz   int `yaml:"mhz"`
	// Memory in GiB.
	Memory int64 `yaml:"memory"`
	// Password of root, asked for when the host is added.
	Password string `yaml:"password"`
	// LocalDatastore is a VMFS volume on a disk of the host's own, which no other host can see.
	LocalDatastore *LocalDatastore `yaml:"localDatastore"`
	// VMotion tells whether the management adapter carries vMotion: by default on hosts that joined before the lab starts only.
	VMotion *bool `yaml:"vmotion"`
	// Scratch is the label of the VMFS volume that the host keeps its scratch files on.
	Scratch string `yaml:"scratch"`
	// NIC is the link speed of the physical adapters in Mbit/s (10000).
	NIC int `yaml:"nic"`
	// ClockSkew is how far the host's clock is ahead of the true time.
	ClockSkew time.Duration `yaml:"clockSkew"`
	// NTP are its time servers (none, as after the installation), and NTPStopped tells that its service is not running all the same.
	NTP        []string `yaml:"ntp"`
	NTPStopped bool     `yaml:"ntpStopped"`
	// License of the host: by default one that never ends, or for a host that is free sixty days of evaluation.
	License *License `yaml:"license"`
}

// Datacenter of a vCenter.
type Datacenter struct {
	Name string `yaml:"name"`
	// Clusters with hosts that joined before the lab starts.
	Clusters []Cluster `yaml:"clusters"`
	// Folders for VMs, as paths below the datacenter's VM folder; parents are made as needed.
	Folders []string `yaml:"folders"`
	// Switches are distributed switches; every host of the datacenter is a member.
	Switches []Switch `yaml:"switches"`
	// Networks are port groups: standard ones on every host of the datacenter, or distributed ones of a switch.
	Networks []Network `yaml:"networks"`
	// CustomAttributes that are defined for VMs.
	CustomAttributes []string `yaml:"customAttributes"`
	// StoragePods are clusters of the datastores that the datacenter's hosts have mounted when the lab starts.
	StoragePods []StoragePod `yaml:"storagePods"`
}

// Cluster of hosts.
type Cluster struct {
	Name string `yaml:"name"`
	// Hosts by name, from the vCenter's list.
	Hosts []string `yaml:"hosts"`
	DRS   DRS      `yaml:"drs"`
	HA    HA       `yaml:"ha"`
	// EVC mode, or nothing for EVC off.
	EVC string `yaml:"evc"`
	// Pools, each a path or a Pool.
	Pools []Pool `yaml:"pools"`
	// Rules and Groups of DRS.
	Rules  []Rule  `yaml:"rules"`
	Groups []Group `yaml:"groups"`
}

// Switch is a distributed switch.
type Switch struct {
	Name string `yaml:"name"`
	// Version of the switch, such as "6.6.0"; no newer than the vCenter and its hosts.
	Version string `yaml:"version"`
}

// Network is a port group.
type Network struct {
	Name string `yaml:"name"`
	VLAN int    `yaml:"vlan"`
	// Switch is the distributed switch of the datacenter that the port group is on; without it the port group is a standard one.
	Switch string `yaml:"switch"`
}

// VM is a virtual machine that exists when the lab starts.
type VM struct {
	Name string `yaml:"name"`
	// Site is the vCenter, and Datacenter, Cluster and Host are where it is registered.
	Site       string `yaml:"site"`
	Datacenter string `yaml:"datacenter"`
	Cluster    string `yaml:"cluster"`
	Host       string `yaml:"host"`
	// Guest is the guest id of vSphere, such as "rhel6_64Guest".
	Guest string `yaml:"guest"`
	// Folder and Pool are paths, or nothing for the roots.
	Folder string `yaml:"folder"`
	Pool   string `yaml:"pool"`
	// CPUs (2), Memory in GiB (4), Hardware version (11).
	CPUs     int   `yaml:"cpus"`
	Memory   int64 `yaml:"memory"`
	Hardware int   `yaml:"hardware"`
	// Power is "on" (the default, but for templates), "off" or "suspended".
	Power string `yaml:"power"`
	// Tools is "running" (installed, the default), "notRunning" (installed, but the service never starts) or "notInstalled".
	Tools string `yaml:"tools"`
	// Template marks the VM as a template.
	Template bool `yaml:"template"`
	// Disks of the VM; the first one's datastore holds the VM's directory.
	Disks []Disk `yaml:"disks"`
	// NICs of the VM.
	NICs []NIC `yaml:"nics"`
	// Notes are the VM's annotation.
	Notes string `yaml:"notes"`
	// CustomAttributes by name; the datacenter defines the names.
	CustomAttributes map[string]string `yaml:"customAttributes"`
	// Tags as category/tag, Permissions, and the overrides of HA and DRS.
	Tags        []string     `yaml:"tags"`
	Permissions []Permission `yaml:"permissions"`
	HAOverride  *HAOverride  `yaml:"haOverride"`
	DRSOverride *DRSOverride `yaml:"drsOverride"`
	// Agent makes it a VM of vSphere's own, which ESX Agent Manager powers off and on with its host's maintenance mode (vCLS).
	Agent bool `yaml:"agent"`
	// ExtraConfig keys as they stand in the .vmx file.
	ExtraConfig map[string]string `yaml:"extraConfig"`
	// Snapshots, each the child of the one before.
	Snapshots []string `yaml:"snapshots"`
	// IPs that the guest reports, by NIC, while VMware Tools run.
	IPs []string `yaml:"ips"`
	// Durations of this guest.
	Durations GuestDurations `yaml:"durations"`
	// GuestIgnoresShutdown makes the guest accept a shutdown and do nothing.
	GuestIgnoresShutdown bool `yaml:"guestIgnoresShutdown"`

	// ISO and Floppy are images that drives of the VM are connected to: "[datastore] dir/file.iso".
	ISO    string `yaml:"iso"`
	Floppy string `yaml:"floppy"`
	// CDROM is a connected CD drive of the "host", or of a "client".
	CDROM string `yaml:"cdrom"`
	// Devices are further devices of the VM, by the names in DeviceKinds.
	Devices []string `yaml:"devices"`
	// Reservation and Limits of the VM.
	Reservation Reservation `yaml:"reservation"`
	Limits      Limits      `yaml:"limits"`
	// CPUAffinity and MemoryAffinity bind the VM to processors and NUMA nodes; NUMAAffinity is numa.nodeAffinity.
	CPUAffinity    []int  `yaml:"cpuAffinity"`
	MemoryAffinity []int  `yaml:"memoryAffinity"`
	NUMAAffinity   string `yaml:"numaAffinity"`
	// LatencySensitivity is "low", "normal", "medium" or "high".
	LatencySensitivity string `yaml:"latencySensitivity"`
	// BIOS is the VM's BIOS UUID, in place of the one that follows from the seed.
	BIOS string `yaml:"bios"`
	// EVC is the mode that the running VM needs, in place of what its host offers.
	EVC string `yaml:"evc"`
	// CBT switches changed block tracking on.
	CBT bool `yaml:"cbt"`
	// Encrypted makes the VM and its disks encrypted, with a key of its own vCenter's key provider.
	Encrypted bool `yaml:"encrypted"`
	// FaultTolerance makes the VM the primary one of a fault tolerant pair.
	FaultTolerance bool `yaml:"faultTolerance"`
	// ToolsInstaller leaves an installation of VMware Tools in progress.
	ToolsInstaller bool `yaml:"toolsInstaller"`
	// Question is the text of a question that the running VM waits to have answered.
	Question string `yaml:"question"`
	// ConsolidationNeeded leaves a delta of a removed snapshot on each disk.
	ConsolidationNeeded bool `yaml:"consolidationNeeded"`
	// Locked means that a backup product has disabled what would move the VM.
	Locked bool `yaml:"locked"`
	// Orphan means that no host knows the VM any more; its files are there.
	Orphan bool `yaml:"orphan"`
	// VApp is the vApp, below the VM's pool, that the VM is in.
	VApp string `yaml:"vapp"`
}

// GuestDurations override the scenario's for one VM.
type GuestDurations struct {
	Boot     time.Duration `yaml:"boot"`
	Shutdown time.Duration `yaml:"shutdown"`
}

// Disk of a VM.
type Disk struct {
	// Datastore is the VMFS label.
	Datastore string `yaml:"datastore"`
	// Size in GiB, and Used: what is written, hence what a copy has to move.
	Size int64 `yaml:"size"`
	Used int64 `yaml:"used"`
	// Thin makes the disk thin provisioned.
	Thin bool `yaml:"thin"`
	// Mode is "persistent" (the default), "independent_persistent" or "independent_nonpersistent".
	Mode string `yaml:"mode"`
	// RDM makes the disk a raw device mapping: "physical" or "virtual". Its data is on no datastore of the lab.
	RDM string `yaml:"rdm"`
	// Sharing is "multiWriter", or nothing.
	Sharing string `yaml:"sharing"`
	// BusSharing of the disk's controller: "physical", "virtual" or nothing. Disks of one kind share controllers.
	BusSharing string `yaml:"busSharing"`
	// LinkedTo makes the disk a linked clone: a delta over what the newest snapshot of that VM froze of its first disk.
	LinkedTo string `yaml:"linkedTo"`
}

// NIC of a VM.
type NIC struct {
	// Network is the name of a port group of the datacenter.
	Network string `yaml:"network"`
	// Type is "vmxnet3" (the default), "e1000" or "e1000e".
	Type string `yaml:"type"`
	// Connected at power on; true unless said otherwise.
	Connected *bool `yaml:"connected"`
	// MAC is a static address, in place of the one that follows from the seed.
	MAC string `yaml:"mac"`
}
