package lab

// machines install what concerns virtual machines.
var machines = []func(*VC){
	installFeed, installTask, installVirtualMachine, installVMFolder, installCustomFields, installDatastoreBrowser, installDatastoreFiles,
}

// machineSeeders register the scenario's virtual machines.
var machineSeeders = []func(*VC) error{seedMachines, seedMetadata}
