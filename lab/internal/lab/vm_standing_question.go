package lab

import (
	"fmt"
	"slices"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// A question that a running VM has asked before anybody looked, such as when its volume was full. The guest stands still until it
// is answered, and vCenter starts nothing else for the VM.

const (
	standingMessage = "msg.hbacommon.outofspace"
	answerRetry     = "0" // go on: whoever asks for that has dealt with the reason
	answerAbort     = "1" // cut the VM's power
)

// seedQuestion lets a running VM wait for an answer.
func (m *machine) seedQuestion(text string) {
	if text == "" {
		return
	}
	q := &question{id: fmt.Sprint(m.vc.machines.questions.Add(1)), answer: make(chan string, 1), choices: []string{answerRetry, answerAbort}, text: text}
	m.mu.Lock()
	m.asked = q
	m.mu.Unlock()
	m.edit(func(vm *simulator.VirtualMachine) {
		m.report(vm, false)
		vm.Runtime.Question = &types.VirtualMachineQuestionInfo{
			Id: q.id, Text: standingMessage + ":" + text,
			Choice: types.ChoiceOption{ChoiceInfo: []types.BaseElementDescription{
				&types.ElementDescription{Description: types.Description{Label: "button.retry", Summary: "Retry"}, Key: answerRetry},
				&types.ElementDescription{Description: types.Description{Label: "button.abort", Summary: "Cancel"}, Key: answerAbort},
			}},
			Message: []types.VirtualMachineMessage{{Id: standingMessage, Text: text}},
		}
		vm.Summary.Runtime = vm.Runtime
	})
	m.vc.lab.guests.Stopping(m.who().ID, time.Now())
	go func() {
		select {
		case key := <-q.answer:
			m.answered(key)
		case <-m.vc.lab.ctx.Done():
		}
	}()
}

// answered lets the VM go on, or cuts its power.
func (m *machine) answered(key string) {
	m.mu.Lock()
	g := m.guest
	m.mu.Unlock()
	m.edit(func(vm *simulator.VirtualMachine) {
		vm.Runtime.Question = nil
		m.report(vm, g.Tools == "running")
	})
	if key == answerAbort {
		m.stopped(false)
		return
	}
	m.vc.lab.guests.Booted(g.ID, time.Now())
}

// pending refuses what cannot be done while a VM waits for an answer. The question of a task that is running is that task's.
func (m *machine) pending() types.BaseMethodFault {
	if m.asked != nil && m.asked.text != "" {
		return because(&types.QuestionPending{Text: m.asked.text}, "The virtual machine waits for an answer: %s", m.asked.text)
	}
	return nil
}

// offers reports whether a question has a choice.
func (q *question) offers(key string) bool { return slices.Contains(q.choices, key) }
