package scenario

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Problem is one mistake of a scenario file.
type Problem struct {
	Line int
	Path string // such as "vms[3].disks[0].datastore"
	Text string
}

func (p Problem) String() string {
	if p.Path == "" {
		return fmt.Sprintf("line %d: %s", p.Line, p.Text)
	}
	return fmt.Sprintf("line %d: %s: %s", p.Line, p.Path, p.Text)
}

// Problems are all mistakes of a scenario file, in the order of its lines.
type Problems struct {
	File string
	List []Problem
}

func (e *Problems) Error() string {
	lines := make([]string, 0, len(e.List))
	for _, p := range e.List {
		lines = append(lines, e.File+": "+p.String())
	}
	return strings.Join(lines, "\n")
}

// decoder fills Go values from YAML nodes, collects every mistake and remembers the line of every path.
type decoder struct {
	problems []Problem
	lines    map[string]int
}

func (d *decoder) bad(n *yaml.Node, path, format string, args ...any) {
	d.problems = append(d.problems, Problem{Line: n.Line, Path: path, Text: fmt.Sprintf(format, args...)})
}

// at adds a mistake found after decoding, at the line of path or of the nearest parent that was written.
func (d *decoder) at(path, format string, args ...any) {
	line, p := 1, path
	for p != "" {
		if l, ok := d.lines[p]; ok {
			line = l
			break
		}
		p = p[:max(0, strings.LastIndexAny(p, ".["))]
	}
	d.problems = append(d.problems, Problem{Line: line, Path: path, Text: fmt.Sprintf(format, args...)})
}

// shorthand is a mapping that may also be written as a single value, which is that of one of its keys.
type shorthand interface{ shorthand() string }

var durationType = reflect.TypeFor[time.Duration]()

func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	d.lines[path] = n.Line
	if n.Kind == yaml.ScalarNode && n.Tag == "!!null" {
		return // the same as not written
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Struct:
		if s, ok := v.Addr().Interface().(shorthand); ok && n.Kind == yaml.ScalarNode {
			d.scalar(n, field(v, s.shorthand()), path)
			return
		}
		d.mapping(n, v, path)
	case reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			d.bad(n, path, "a list is expected")
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
		for i, c := range n.Content {
			d.value(c, v.Index(i), fmt.Sprintf("%s[%d]", path, i))
		}
	case reflect.Map:
		if n.Kind != yaml.MappingNode {
			d.bad(n, path, "a mapping of names to values is expected")
			return
		}
		v.Set(reflect.MakeMap(v.Type()))
		for i := 0; i+1 < len(n.Content); i += 2 {
			e := reflect.New(v.Type().Elem()).Elem()
			d.value(n.Content[i+1], e, join(path, n.Content[i].Value))
			v.SetMapIndex(reflect.ValueOf(n.Content[i].Value), e)
		}
	default:
		d.scalar(n, v, path)
	}
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.bad(n, path, "a mapping with the keys %s is expected", strings.Join(keys(v.Type()), ", "))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		at := join(path, k.Value)
		f := field(v, k.Value)
		switch {
		case !f.IsValid():
			d.bad(k, at, "unknown key; allowed here: %s", strings.Join(keys(v.Type()), ", "))
		case seen[k.Value]:
			d.bad(k, at, "the key is written twice")
		default:
			seen[k.Value] = true
			d.value(n.Content[i+1], f, at)
		}
	}
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.bad(n, path, "a single value is expected")
		return
	}
	var err error
	switch {
	case v.Type() == durationType:
		var x time.Duration
		if x, err = time.ParseDuration(n.Value); err != nil || x < 0 {
			d.bad(n, path, "%q is not a duration; write such as 30s, 4m or 1h", n.Value)
			return
		}
		v.SetInt(int64(x))
	case v.Kind() == reflect.String:
		v.SetString(n.Value)
	case v.Kind() == reflect.Bool:
		if n.Tag != "!!bool" {
			d.bad(n, path, "%q is neither true nor false", n.Value)
			return
		}
		v.SetBool(strings.EqualFold(n.Value, "true"))
	case v.CanInt():
		var x int64
		if x, err = strconv.ParseInt(n.Value, 10, 64); err != nil {
			d.bad(n, path, "%q is not a whole number", n.Value)
			return
		}
		v.SetInt(x)
	case v.CanFloat():
		var x float64
		if x, err = strconv.ParseFloat(n.Value, 64); err != nil {
			d.bad(n, path, "%q is not a number", n.Value)
			return
		}
		v.SetFloat(x)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func keys(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		out = append(out, t.Field(i).Tag.Get("yaml"))
	}
	return out
}

func field(v reflect.Value, key string) reflect.Value {
	i := slices.Index(keys(v.Type()), key)
	if i < 0 {
		return reflect.Value{}
	}
	return v.Field(i)
}
