package scenario

// What makes a VM or a datastore hard to move: the types of those keys that need one.

// DeviceKinds are the devices that a VM may have beside disks, drives and NICs.
var DeviceKinds = []string{"passthrough", "sriov", "vgpu", "usb", "serial", "parallel", "vtpm"}

// Reservation of a VM.
type Reservation struct {
	// CPU in MHz, Memory in GiB.
	CPU    int64 `yaml:"cpu"`
	Memory int64 `yaml:"memory"`
	// MemoryLocked reserves all of the VM's memory, whatever that is.
	MemoryLocked bool `yaml:"memoryLocked"`
}

// Limits of a VM; 0 is none.
type Limits struct {
	// CPU in MHz, Memory in GiB.
	CPU    int64 `yaml:"cpu"`
	Memory int64 `yaml:"memory"`
}

// LocalDatastore is a volume on a host's own disk.
type LocalDatastore struct {
	// Name is the label; it differs from every other volume's.
	Name string `yaml:"name"`
	// Size in GiB.
	Size int64 `yaml:"size"`
}

// StoragePod is a cluster of datastores.
type StoragePod struct {
	Name string `yaml:"name"`
	// StorageDRS switches Storage DRS on.
	StorageDRS bool `yaml:"storageDrs"`
	// Datastores by name.
	Datastores []string `yaml:"datastores"`
}

// Controller is a place of a disk: the SCSI controller, the unit on it and what is shared of the bus.
type Controller struct {
	Bus, Unit int
	Sharing   string
}

// Controllers places the disks: in their order, at most 15 on a controller, and no two kinds of bus sharing on one. The first
// disk of the VM is on the first controller.
func (vm *VM) Controllers() []Controller {
	const unitsOfABus, own = 15, 7 // the controller has a unit of its own
	bus, used, next := map[string]int{}, map[string]int{}, 0
	out := make([]Controller, len(vm.Disks))
	for i, k := range vm.Disks {
		if _, ok := bus[k.BusSharing]; !ok || used[k.BusSharing] == unitsOfABus {
			bus[k.BusSharing], used[k.BusSharing] = next, 0
			next++
		}
		unit := used[k.BusSharing]
		used[k.BusSharing]++
		if unit >= own {
			unit++
		}
		out[i] = Controller{bus[k.BusSharing], unit, k.BusSharing}
	}
	return out
}
