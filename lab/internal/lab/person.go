package lab

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// Act is what a person does to a virtual machine beside the client that is tested. It runs the code of the API; only the counters
// and the fault rules know nothing of it, and the person has every privilege.
type Act struct {
	Site   string `json:"site"`
	To     string `json:"to,omitempty"`     // rename: the new name
	Folder string `json:"folder,omitempty"` // move: path below the datacenter's VM folder; "" is that folder
	Name   string `json:"name,omitempty"`   // snapshot: its name
	Text   string `json:"text,omitempty"`   // note: the whole text
}

// ErrUnknown is for a VM, a site, a folder or an act that does not exist.
var ErrUnknown = errors.New("unknown")

// acts are what a person can do: the method of the API, and the call.
var acts = map[string]struct {
	method string
	call   func(*vmObject, *machine, Act) (soap.HasFault, error)
}{
	"poweron": {"PowerOnVM_Task", func(o *vmObject, m *machine, _ Act) (soap.HasFault, error) {
		return o.PowerOnVMTask(&types.PowerOnVM_Task{This: m.self}), nil
	}},
	"poweroff": {"PowerOffVM_Task", func(o *vmObject, m *machine, _ Act) (soap.HasFault, error) {
		return o.PowerOffVMTask(&types.PowerOffVM_Task{This: m.self}), nil
	}},
	"rename": {"Rename_Task", func(o *vmObject, m *machine, a Act) (soap.HasFault, error) {
		return o.RenameTask(&types.Rename_Task{This: m.self, NewName: a.To}), nil
	}},
	"move": {"", func(o *vmObject, m *machine, a Act) (soap.HasFault, error) {
		f, ok := o.vc.walk(m.datacenter().VmFolder, a.Folder).(*simulator.Folder)
		if !ok {
			return nil, fmt.Errorf("%w folder %s", ErrUnknown, a.Folder)
		}
		folders := &vmFolder{o.vc.shadow("VMFolder")}
		return folders.MoveIntoFolderTask(o.vc.newCtx(), &types.MoveIntoFolder_Task{This: f.Self, List: []types.ManagedObjectReference{m.self}}), nil
	}},
	"unregister": {"UnregisterVM", func(o *vmObject, m *machine, _ Act) (soap.HasFault, error) {
		return o.UnregisterVM(&types.UnregisterVM{This: m.self}), nil
	}},
	"snapshot": {"CreateSnapshot_Task", func(o *vmObject, m *machine, a Act) (soap.HasFault, error) {
		return o.CreateSnapshotTask(&types.CreateSnapshot_Task{This: m.self, Name: a.Name}), nil
	}},
	"removeSnapshots": {"RemoveAllSnapshots_Task", func(o *vmObject, m *machine, _ Act) (soap.HasFault, error) {
		return o.RemoveAllSnapshotsTask(&types.RemoveAllSnapshots_Task{This: m.self}), nil
	}},
	"note": {"ReconfigVM_Task", func(o *vmObject, m *machine, a Act) (soap.HasFault, error) {
		if a.Text == "" {
			return nil, errors.New("a note needs text")
		}
		return o.ReconfigVMTask(&types.ReconfigVM_Task{This: m.self, Spec: types.VirtualMachineConfigSpec{Annotation: a.Text}}), nil
	}},
}

// Person does something to a VM, by its name, and returns when it is done: nil, the fault of vSphere, or an error.
func (l *Lab) Person(vm, act string, a Act) (types.BaseMethodFault, error) {
	do, ok := acts[act]
	if !ok {
		return nil, fmt.Errorf("%w act %s; allowed: %s", ErrUnknown, act, strings.Join(slices.Sorted(maps.Keys(acts)), ", "))
	}
	vc := l.VCenter(a.Site)
	if vc == nil {
		return nil, fmt.Errorf("%w site %q", ErrUnknown, a.Site)
	}
	named := slices.DeleteFunc(vc.machines.all(), func(m *machine) bool { return m.name() != vm })
	if len(named) != 1 {
		return nil, fmt.Errorf("%w: %d virtual machines are called %s at %s", ErrUnknown, len(named), vm, a.Site)
	}
	m := named[0]
	if f := vc.forbidden(do.method, m.self, true); f != nil {
		return f, nil
	}
	body, err := do.call(&vmObject{vc.shadow("VirtualMachine")}, m, a)
	if err != nil {
		return nil, err
	}
	return vc.outcome(body), nil
}

// outcome waits for what a call of the API started, and returns how it ended.
func (vc *VC) outcome(body soap.HasFault) types.BaseMethodFault {
	if f := body.Fault(); f != nil {
		if x, ok := f.VimFault().(types.BaseMethodFault); ok {
			return x
		}
		return because(new(types.SystemError), "%s", f.String)
	}
	result := reflect.ValueOf(body).Elem().FieldByName("Res").Elem().FieldByName("Returnval")
	if !result.IsValid() {
		return nil
	}
	return vc.await(result.Interface().(types.ManagedObjectReference))
}

// Sentence says what a fault of vSphere means, and the name of its type.
func Sentence(f types.BaseMethodFault) (name, text string) {
	return reflect.TypeOf(f).Elem().Name(), describe(f)
}
