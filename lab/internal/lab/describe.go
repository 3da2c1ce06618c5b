package lab

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// fault makes the SOAP fault of a refused call, with a sentence as its message.
func fault(f types.BaseMethodFault) *soap.Fault { return simulator.Fault(describe(f), f) }

// because puts a reason into a fault, for faults whose type alone does not say enough; describe shows it.
func because[F types.BaseMethodFault](f F, format string, args ...any) F {
	m := f.GetMethodFault()
	m.FaultMessage = append(m.FaultMessage, types.LocalizableMessage{Key: "lab.reason", Message: fmt.Sprintf(format, args...)})
	return f
}

// describe says in a sentence what a fault means, as vCenter's LocalizedMessage does.
func describe(f types.BaseMethodFault) string {
	s := sentence(f)
	if m := f.GetMethodFault(); m != nil {
		for _, x := range m.FaultMessage {
			if x.Message != "" && !strings.Contains(s, x.Message) {
				s += " " + x.Message
			}
		}
	}
	return s
}

func sentence(f types.BaseMethodFault) string {
	switch x := f.(type) {
	case *types.InvalidPowerState:
		return fmt.Sprintf("The attempted operation cannot be performed in the current state (%s).", powerWords[x.ExistingState])
	case *types.ToolsUnavailable:
		return "Cannot complete operation because VMware Tools is not running in this virtual machine."
	case *types.DuplicateName:
		return fmt.Sprintf("The name '%s' already exists.", x.Name)
	case *types.InvalidName:
		return fmt.Sprintf("The name '%s' is not valid.", x.Name)
	case *types.AlreadyExists:
		return fmt.Sprintf("The specified key, name, or identifier '%s' already exists.", x.Name)
	case *types.FileLocked:
		return fmt.Sprintf("Unable to access file %s since it is locked.", x.File)
	case *types.FileNotFound:
		return fmt.Sprintf("File %s was not found.", x.File)
	case *types.CannotAccessFile:
		return fmt.Sprintf("Unable to access file %s.", x.File)
	case *types.InvalidDatastorePath:
		return fmt.Sprintf("Invalid datastore path '%s'.", x.DatastorePath)
	case *types.InvalidDatastore:
		return fmt.Sprintf("Invalid datastore '%s'.", x.Name)
	case *types.NoDiskSpace:
		return fmt.Sprintf("Insufficient disk space on datastore '%s'.", x.Datastore)
	case *types.NotSupported:
		return "The operation is not supported on the object."
	case *types.NotEnoughLicenses:
		return "There are not enough licenses installed to perform the operation."
	case *types.ManagedObjectNotFound:
		return fmt.Sprintf("The object '%s:%s' has already been deleted or has not been completely created.", x.Obj.Type, x.Obj.Value)
	case *types.InvalidArgument:
		return "A specified parameter was not correct: " + x.InvalidProperty
	case *types.InvalidVmConfig:
		return "Invalid virtual machine configuration."
	case *types.VirtualHardwareVersionNotSupported:
		return fmt.Sprintf("The host '%s' does not support this virtual hardware version.", x.HostName)
	case *types.InvalidState:
		return "The operation is not allowed in the current state."
	case *types.TaskInProgress:
		return "Another task is already in progress."
	case *types.RequestCanceled:
		return "The task was canceled by a user."
	case *types.SystemError:
		return "A general system error occurred: " + x.Reason
	case *types.InvalidLogin:
		return "Cannot complete login due to an incorrect user name or password."
	case *types.NotAuthenticated:
		return "The session is not authenticated."
	case *types.NoPermission:
		return fmt.Sprintf("Permission to perform this operation was denied. The privilege %s is missing.", x.PrivilegeId)
	case *types.UserNotFound:
		return fmt.Sprintf("The user or group named '%s' does not exist.", x.Principal)
	case *types.SSLVerifyFault:
		return "The SSL certificate of the server could not be verified. Its thumbprint is " + x.Thumbprint + "."
	case *types.CannotAccessNetwork:
		return fmt.Sprintf("Cannot connect '%s' to the network '%s': it is not accessible on the host.", x.Device, x.Backing)
	case *types.CannotUseNetwork:
		return fmt.Sprintf("'%s' cannot use the network '%s' (%s).", x.Device, x.Backing, x.Reason)
	case *types.VMOnVirtualIntranet:
		return fmt.Sprintf("'%s' would be on the virtual intranet '%s'.", x.Device, x.Backing)
	case *types.CannotAccessVmDevice:
		return fmt.Sprintf("The backing '%s' of '%s' is not accessible on the host.", x.Backing, x.Device)
	case *types.VMotionNotConfigured:
		return fmt.Sprintf("vMotion is not configured on host '%s'.", x.FailedHost)
	case *types.GenericVmConfigFault:
		return "Configuration issue: " + x.Reason + "."
	case *types.NoHost:
		return fmt.Sprintf("Unable to communicate with the remote host '%s'.", x.Name)
	case *types.ResourceInUse:
		return fmt.Sprintf("The resource '%s' is in use.", x.Name)
	}
	return words(reflect.TypeOf(f).Elem().Name()) + "."
}

var powerWords = map[types.VirtualMachinePowerState]string{
	types.VirtualMachinePowerStatePoweredOn:  "Powered on",
	types.VirtualMachinePowerStatePoweredOff: "Powered off",
	types.VirtualMachinePowerStateSuspended:  "Suspended",
}

// words splits "NotEnoughCpus" into "Not enough cpus": what is left to say about a fault with no sentence of its own.
func words(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
