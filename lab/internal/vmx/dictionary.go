// Package vmx reads and writes the text files of a virtual machine: its configuration (.vmx), its snapshot list (.vmsd) and the
// descriptors of its disks (.vmdk). It knows their syntax and nothing of vSphere's objects.
package vmx

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Dictionary is the content of a .vmx or .vmsd file: one `key = "value"` per line. Keys are compared without regard to case, as
// VMware does, and keep the order and the spelling in which they were first set.
type Dictionary struct {
	keys   []string
	values map[string]string // by lower-case key
}

// New returns an empty dictionary.
func New() *Dictionary { return &Dictionary{values: map[string]string{}} }

// Get returns the value of a key, or "".
func (d *Dictionary) Get(key string) string { return d.values[strings.ToLower(key)] }

// Has reports whether a key is set.
func (d *Dictionary) Has(key string) bool { _, ok := d.values[strings.ToLower(key)]; return ok }

// True reports whether a key is set to TRUE in any case.
func (d *Dictionary) True(key string) bool { return strings.EqualFold(d.Get(key), "TRUE") }

// Int returns the value of a key as a number, or fallback if it is none.
func (d *Dictionary) Int(key string, fallback int64) int64 {
	if n, err := strconv.ParseInt(d.Get(key), 10, 64); err == nil {
		return n
	}
	return fallback
}

// Set sets the value of a key.
func (d *Dictionary) Set(key, value string) {
	low := strings.ToLower(key)
	if _, ok := d.values[low]; !ok {
		d.keys = append(d.keys, key)
	}
	d.values[low] = value
}

// Setf sets a key that is made of a format.
func (d *Dictionary) Setf(value, format string, args ...any) {
	d.Set(fmt.Sprintf(format, args...), value)
}

// SetBool sets a key to TRUE or FALSE.
func (d *Dictionary) SetBool(key string, v bool) { d.Set(key, strings.ToUpper(strconv.FormatBool(v))) }

// Delete removes a key.
func (d *Dictionary) Delete(key string) {
	low := strings.ToLower(key)
	delete(d.values, low)
	d.keys = slices.DeleteFunc(d.keys, func(k string) bool { return strings.ToLower(k) == low })
}

// Clone returns a copy.
func (d *Dictionary) Clone() *Dictionary {
	return &Dictionary{keys: slices.Clone(d.keys), values: maps.Clone(d.values)}
}

// Keys returns all keys in order.
func (d *Dictionary) Keys() []string { return slices.Clone(d.keys) }

// Bytes is the text of the file.
func (d *Dictionary) Bytes() []byte {
	var b bytes.Buffer
	for _, k := range d.keys {
		fmt.Fprintf(&b, "%s = \"%s\"\n", k, Escape(d.Get(k)))
	}
	return b.Bytes()
}

// Parse reads the text of a file. As in VMware's own reader a key that is written twice is an error.
func Parse(text []byte) (*Dictionary, error) {
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("the file is not in UTF-8")
	}
	d := New()
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok || key == "" || strings.ContainsAny(key, "\" \t") {
			return nil, fmt.Errorf("line %d is not of the form key = \"value\"", i+1)
		}
		if d.Has(key) {
			return nil, fmt.Errorf("line %d: %s was set before", i+1, key)
		}
		v, err := unquote(value)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		d.Set(key, v)
	}
	return d, nil
}

func unquote(v string) (string, error) {
	if !strings.HasPrefix(v, `"`) {
		if v, _, _ = strings.Cut(v, "#"); strings.Contains(v, `"`) {
			return "", fmt.Errorf("a quote in the middle of a value")
		}
		return Unescape(strings.TrimSpace(v))
	}
	body, rest, ok := strings.Cut(v[1:], `"`)
	if rest = strings.TrimSpace(rest); !ok || rest != "" && rest[0] != '#' {
		return "", fmt.Errorf("the quotes of a value do not match")
	}
	return Unescape(body)
}

// Escape writes quotes, bars and control characters as a bar and two hexadecimal digits ("|22", "|7C", "|0A"); all other text
// stands as it is, in UTF-8.
func Escape(v string) string {
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(v, "\uFFFD") {
		if r < 0x20 || r == '"' || r == '|' || r == 0x7f {
			fmt.Fprintf(&b, "|%02X", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Unescape is the opposite of Escape.
func Unescape(v string) (string, error) {
	var b strings.Builder
	for {
		head, tail, ok := strings.Cut(v, "|")
		b.WriteString(head)
		if !ok {
			break
		}
		if len(tail) < 2 {
			return "", fmt.Errorf("a bar without two hexadecimal digits")
		}
		n, err := strconv.ParseUint(tail[:2], 16, 8)
		if err != nil {
			return "", fmt.Errorf("a bar without two hexadecimal digits")
		}
		b.WriteByte(byte(n))
		v = tail[2:]
	}
	if !utf8.ValidString(b.String()) {
		return "", fmt.Errorf("an escape that is not UTF-8")
	}
	return b.String(), nil
}

// FormatUUID writes a UUID as .vmx files do: "42 1f 8c 0d 5a 11 22 33-44 55 66 77 88 99 aa bb".
func FormatUUID(u string) string {
	h := strings.ToLower(strings.ReplaceAll(u, "-", ""))
	if len(h) != 32 {
		return u
	}
	var parts []string
	for i := 0; i < 32; i += 2 {
		parts = append(parts, h[i:i+2])
	}
	return strings.Join(parts[:8], " ") + "-" + strings.Join(parts[8:], " ")
}

// ParseUUID reads what FormatUUID wrote; ok is false for anything else.
func ParseUUID(v string) (u string, ok bool) {
	h := strings.ToLower(strings.NewReplacer(" ", "", "-", "").Replace(v))
	if len(h) != 32 || strings.Trim(h, "0123456789abcdef") != "" {
		return "", false
	}
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-"), true
}
