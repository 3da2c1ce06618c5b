package scenario

import (
	"errors"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Load reads and checks the scenario of a file. Mistakes in it come as *Problems, all together.
func Load(file string) (*Scenario, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return Parse(file, b)
}

var yamlLine = regexp.MustCompile(`line (\d+): (.*)`)

// Parse reads and checks a scenario; file is its name in messages.
func Parse(file string, data []byte) (*Scenario, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		p := Problem{Line: 1, Text: strings.TrimPrefix(err.Error(), "yaml: ")}
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
			p.Line, _ = strconv.Atoi(m[1])
			p.Text = "this is not YAML: " + m[2]
		}
		return nil, &Problems{File: file, List: []Problem{p}}
	}
	if len(root.Content) == 0 {
		return nil, &Problems{File: file, List: []Problem{{Line: 1, Text: "the file is empty"}}}
	}
	s := &Scenario{Timescale: 1, Durations: Durations{
		Register: 4 * time.Second, Unregister: 2 * time.Second, Reconfigure: 3 * time.Second,
		PowerOn: 6 * time.Second, PowerOff: 3 * time.Second, Boot: 50 * time.Second, Shutdown: 45 * time.Second,
		VMotion: 20 * time.Second, Rescan: 12 * time.Second, Other: 2 * time.Second,
		Update: 4 * time.Minute, Reboot: 6 * time.Minute,
	}}
	d := &decoder{lines: map[string]int{}}
	d.value(root.Content[0], reflect.ValueOf(s).Elem(), "")
	if len(d.problems) == 0 {
		s.defaults()
		check(d, s)
	}
	if len(d.problems) > 0 {
		slices.SortStableFunc(d.problems, func(a, b Problem) int { return a.Line - b.Line })
		return nil, &Problems{File: file, List: d.problems}
	}
	return s, nil
}

// IsProblem reports whether err is about the content of a scenario.
func IsProblem(err error) bool {
	var p *Problems
	return errors.As(err, &p)
}

func (s *Scenario) defaults() {
	for i := range s.VCenters {
		for k := range s.VCenters[i].Hosts {
			set(&s.VCenters[i].Hosts[k].NIC, 10000)
		}
		s.VCenters[i].licenses()
	}
	for i := range s.VMs {
		vm := &s.VMs[i]
		set(&vm.CPUs, 2)
		set(&vm.Memory, 4)
		set(&vm.Hardware, 11)
		set(&vm.Tools, "running")
		if vm.Template {
			set(&vm.Power, "off")
		}
		set(&vm.Power, "on")
		set(&vm.Durations.Boot, s.Durations.Boot)
		set(&vm.Durations.Shutdown, s.Durations.Shutdown)
		for k := range vm.Disks {
			set(&vm.Disks[k].Mode, "persistent")
		}
		for k := range vm.NICs {
			n := &vm.NICs[k]
			set(&n.Network, "VM Network")
			set(&n.Type, "vmxnet3")
			if n.Connected == nil {
				yes := true
				n.Connected = &yes
			}
		}
	}
}

func set[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}
