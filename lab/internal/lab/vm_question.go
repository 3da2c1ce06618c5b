package lab

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// question is one that a VM waits to have answered.
type question struct {
	id      string
	answer  chan string // key of the choice
	choices []string
	text    string // of a question that no task has put
}

// Keys of the choices of msg.uuid.altered. CloudStack's agent answers "1" for "I moved it", and PowerCLI and Ansible name the
// choices by the labels below.
const (
	answerCancel = "0"
	answerMoved  = "1"
	answerCopied = "2"
)

const uuidAltered = `This virtual machine might have been moved or copied. In order to configure certain management and networking features, VMware ESX needs to know if this virtual machine was moved or copied. If you don't know, answer "I Copied It". `

// locationOf is the hash that stands for the place where a VM runs: the site and the path of its .vmx. A host of the same
// vCenter does not change it, as a restart by HA or a vMotion does not raise the question.
func (vc *VC) locationOf(at place) string {
	return vc.lab.ID.UUID("location", vc.InstanceUUID(), at.String())
}

// settleLocation asks, at power-on, whether a VM that is elsewhere than it last ran was moved or copied, and acts on the answer.
// With uuid.action = "keep" (or "create") in its .vmx it does not ask.
func (m *machine) settleLocation(j *job) types.BaseMethodFault {
	here := m.vc.locationOf(m.place())
	m.mu.Lock()
	same := m.location == here
	m.mu.Unlock()
	if same {
		return nil
	}
	key := answerMoved
	switch strings.ToLower(extra(m.config(), "uuid.action")) {
	case "keep":
	case "create", "change":
		key = answerCopied
	default:
		var fault types.BaseMethodFault
		if key, fault = m.ask(j); fault != nil {
			return fault
		}
	}
	switch key {
	case answerCancel:
		return because(new(types.InvalidState), "Power on was cancelled by the answer to the question msg.uuid.altered.")
	case answerCopied:
		m.renew()
	}
	m.mu.Lock()
	m.location = here
	m.mu.Unlock()
	return m.save()
}

// extra returns a value of the extra configuration.
func extra(c *types.VirtualMachineConfigInfo, key string) string {
	for _, o := range c.ExtraConfig {
		if v := o.GetOptionValue(); strings.EqualFold(v.Key, key) {
			return fmt.Sprint(v.Value)
		}
	}
	return ""
}

// ask puts the question and waits for the answer.
func (m *machine) ask(j *job) (string, types.BaseMethodFault) {
	q := &question{id: fmt.Sprint(m.vc.machines.questions.Add(1)), answer: make(chan string, 1), choices: []string{answerCancel, answerMoved, answerCopied}}
	m.mu.Lock()
	m.asked = q
	m.mu.Unlock()
	choice := func(key, label, summary string) types.BaseElementDescription {
		return &types.ElementDescription{Description: types.Description{Label: label, Summary: summary}, Key: key}
	}
	m.edit(func(vm *simulator.VirtualMachine) {
		vm.Runtime.Question = &types.VirtualMachineQuestionInfo{
			Id: q.id, Text: "msg.uuid.altered:" + uuidAltered,
			Choice: types.ChoiceOption{
				ChoiceInfo: []types.BaseElementDescription{
					choice(answerCancel, "Cancel", "Cancel"),
					choice(answerMoved, "button.uuid.movedTheVM", "I Moved It"),
					choice(answerCopied, "button.uuid.copiedTheVM", "I Copied It"),
				},
				DefaultIndex: 2,
			},
			Message: []types.VirtualMachineMessage{{Id: "msg.uuid.altered", Text: uuidAltered}},
		}
		vm.Summary.Runtime = vm.Runtime
	})
	defer m.edit(func(vm *simulator.VirtualMachine) {
		vm.Runtime.Question = nil
		vm.Summary.Runtime = vm.Runtime
	})
	select {
	case key := <-q.answer:
		return key, nil
	case <-j.cancel:
	case <-m.vc.lab.ctx.Done():
	}
	m.mu.Lock()
	m.asked = nil
	m.mu.Unlock()
	return "", j.ended()
}

// AnswerVM answers the question of a VM.
func (o *vmObject) AnswerVM(req *types.AnswerVM) soap.HasFault {
	body := new(methods.AnswerVMBody)
	m, gone := o.vc.machineOf(req.This)
	if gone != nil {
		body.Fault_ = gone
		return body
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.asked == nil || m.asked.id != req.QuestionId:
		body.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "questionId"})
	case !m.asked.offers(req.AnswerChoice):
		body.Fault_ = fault(&types.InvalidArgument{InvalidProperty: "answerChoice"})
	default:
		m.asked.answer <- req.AnswerChoice
		m.asked = nil
		body.Res = new(types.AnswerVMResponse)
	}
	return body
}

// renew gives a copied VM a BIOS UUID of its own, and new addresses to the NICs whose address was generated.
func (m *machine) renew() {
	stamp := time.Now().Format(time.RFC3339Nano)
	m.edit(func(vm *simulator.VirtualMachine) {
		c := *vm.Config
		c.Uuid = m.vc.lab.ID.UUID("copy", m.at.String(), stamp)
		c.Hardware.Device = slices.Clone(c.Hardware.Device)
		for i, x := range c.Hardware.Device {
			if _, ok := x.(types.BaseVirtualEthernetCard); !ok {
				continue
			}
			y := clone(x)
			if e := y.(types.BaseVirtualEthernetCard).GetVirtualEthernetCard(); e.AddressType != string(types.VirtualEthernetCardMacTypeManual) {
				e.MacAddress = m.vc.lab.ID.MAC("copy", m.at.String(), stamp, fmt.Sprint(e.Key))
			}
			c.Hardware.Device[i] = y
		}
		modified(&c)
		vm.Config = &c
		vm.Summary.Config.Uuid = c.Uuid
	})
}
