package vmx

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// Descriptor is the text part of a virtual disk: what it is made of, and its parent if it is the delta of a snapshot.
type Descriptor struct {
	CID, ParentCID uint32
	CreateType     string // "vmfs", "vmfsSparse" for a delta, "vmfs…RawDeviceMap" for a raw device mapping
	ParentFile     string // parentFileNameHint of a delta: relative to the descriptor, or absolute
	Sectors        int64  // capacity in blocks of 512 bytes
	ExtentType     string // "VMFS", "VMFSSPARSE" or "VMFSRDM"
	ExtentFile     string // relative to the descriptor
	DDB            *Dictionary
}

// NoParent is the ParentCID of a disk that is no delta.
const NoParent = 0xffffffff

// Delta reports whether the disk is the delta of a snapshot.
func (d *Descriptor) Delta() bool { return d.ParentCID != NoParent }

// Bytes is the text of the descriptor.
func (d *Descriptor) Bytes() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Disk DescriptorFile\nversion=1\nencoding=\"UTF-8\"\nCID=%08x\nparentCID=%08x\ncreateType=\"%s\"\n", d.CID, d.ParentCID, d.CreateType)
	if d.ParentFile != "" {
		fmt.Fprintf(&b, "parentFileNameHint=\"%s\"\n", Escape(d.ParentFile))
	}
	fmt.Fprintf(&b, "\n# Extent description\nRW %d %s \"%s\"\n\n# The Disk Data Base\n#DDB\n\n", d.Sectors, d.ExtentType, Escape(d.ExtentFile))
	b.Write(d.DDB.Bytes())
	return b.Bytes()
}

// ParseDescriptor reads the text of a descriptor with one extent, as vSphere's disks have.
func ParseDescriptor(text []byte) (*Descriptor, error) {
	var plain []string
	d := &Descriptor{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "RW ") {
			plain = append(plain, line)
			continue
		}
		if d.ExtentFile != "" {
			return nil, fmt.Errorf("the disk has more than one extent")
		}
		head, file, ok := strings.Cut(line, `"`)
		f := strings.Fields(head)
		if !ok || len(f) != 3 || !strings.HasSuffix(file, `"`) {
			return nil, fmt.Errorf("the extent %q cannot be read", line)
		}
		var err error
		if d.Sectors, err = strconv.ParseInt(f[1], 10, 64); err != nil || d.Sectors < 0 {
			return nil, fmt.Errorf("the extent %q has no size", line)
		}
		d.ExtentType = f[2]
		if d.ExtentFile, err = Unescape(strings.TrimSuffix(file, `"`)); err != nil || d.ExtentFile == "" {
			return nil, fmt.Errorf("the extent %q has no file", line)
		}
	}
	if d.ExtentFile == "" {
		return nil, fmt.Errorf("the disk has no extent")
	}
	all, err := Parse([]byte(strings.Join(plain, "\n")))
	if err != nil {
		return nil, err
	}
	for key, to := range map[string]*uint32{"CID": &d.CID, "parentCID": &d.ParentCID} {
		n, err := strconv.ParseUint(all.Get(key), 16, 32)
		if err != nil {
			return nil, fmt.Errorf("%s is missing or no number", key)
		}
		*to = uint32(n)
	}
	d.CreateType, d.ParentFile, d.DDB = all.Get("createType"), all.Get("parentFileNameHint"), New()
	for _, k := range all.Keys() {
		if strings.HasPrefix(strings.ToLower(k), "ddb.") {
			d.DDB.Set(k, all.Get(k))
		}
	}
	return d, nil
}
