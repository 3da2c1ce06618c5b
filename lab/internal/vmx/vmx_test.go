package vmx

import (
	"slices"
	"strings"
	"testing"
)

const sample = `#!/usr/bin/vmware
.encoding = "UTF-8"
displayName = "db 日本 café"
annotation = "a |22quoted|22 line|0Aand a bar |7C"
numvcpus = 4
RemoteDisplay.maxConnections = "-1"   # a comment
scsi0:0.fileName = "/vmfs/volumes/5a/db/db.vmdk"
empty = ""
`

func TestParse(t *testing.T) {
	d, err := Parse([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]string{
		"DisplayName": "db 日本 café", "annotation": "a \"quoted\" line\nand a bar |", "numvcpus": "4",
		"remotedisplay.maxconnections": "-1", "SCSI0:0.FILENAME": "/vmfs/volumes/5a/db/db.vmdk", "empty": "", "absent": "",
	} {
		if got := d.Get(k); got != want {
			t.Errorf("%s = %q, want %q", k, got, want)
		}
	}
	if !d.Has("EMPTY") || d.Has("absent") || d.Int("numvcpus", 1) != 4 || d.Int("displayName", 7) != 7 {
		t.Error("Has or Int")
	}
	again, err := Parse(d.Bytes())
	if err != nil || !slices.Equal(again.Keys(), d.Keys()) || again.Get("annotation") != d.Get("annotation") {
		t.Errorf("not the same after writing: %v\n%s", err, d.Bytes())
	}
	d.Set("NUMVCPUS", "8")
	d.Delete("EMPTY")
	if d.Get("numvcpus") != "8" || len(d.Keys()) != 6 || !strings.Contains(string(d.Bytes()), "numvcpus = \"8\"\n") {
		t.Errorf("Set or Delete:\n%s", d.Bytes())
	}
}

func TestBadFiles(t *testing.T) {
	for text, want := range map[string]string{
		"no equals sign":       "line 1 is not of the form",
		"a = \"1\"\nA = \"2\"": "line 2: A was set before",
		"a = \"1":              "quotes of a value do not match",
		"a = \"1\" x":          "quotes of a value do not match",
		"a = 1\"2":             "a quote in the middle",
		"a = \"|2\"":           "a bar without two hexadecimal digits",
		"a = \"|zz\"":          "a bar without two hexadecimal digits",
		"a = \"|FF\"":          "not UTF-8",
		"\xff":                 "not in UTF-8",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestUUID(t *testing.T) {
	const u = "421f8c0d-5a11-2233-4455-66778899aabb"
	if f := FormatUUID(u); f != "42 1f 8c 0d 5a 11 22 33-44 55 66 77 88 99 aa bb" {
		t.Error(f)
	}
	if got, ok := ParseUUID(FormatUUID(u)); !ok || got != u {
		t.Error(got)
	}
	if _, ok := ParseUUID("42 1f"); ok {
		t.Error("too short is accepted")
	}
}

func TestDescriptor(t *testing.T) {
	d := &Descriptor{CID: 0xfffffffe, ParentCID: NoParent, CreateType: "vmfs", Sectors: 83886080, ExtentType: "VMFS", ExtentFile: "app01-flat.vmdk", DDB: New()}
	d.DDB.Set("ddb.adapterType", "lsilogic")
	got, err := ParseDescriptor(d.Bytes())
	if err != nil || got.Delta() || got.CID != d.CID || got.Sectors != d.Sectors || got.ExtentFile != d.ExtentFile || got.DDB.Get("ddb.adapterType") != "lsilogic" {
		t.Errorf("%+v %v", got, err)
	}
	delta := &Descriptor{CID: 1, ParentCID: 0xfffffffe, CreateType: "vmfsSparse", ParentFile: "app 01.vmdk", Sectors: 8, ExtentType: "VMFSSPARSE", ExtentFile: "app01-000001-delta.vmdk", DDB: New()}
	if got, err = ParseDescriptor(delta.Bytes()); err != nil || !got.Delta() || got.ParentFile != "app 01.vmdk" {
		t.Errorf("%+v %v", got, err)
	}
	for _, bad := range []string{"", "RW x VMFS \"a\"", "RW 1 VMFS a", "CID=1\nparentCID=zz\nRW 1 VMFS \"a\"", "RW 1 VMFS \"a\"\nRW 1 VMFS \"b\""} {
		if _, err := ParseDescriptor([]byte(bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func FuzzDictionary(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("a=|22"))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(d.Bytes())
		if err != nil {
			t.Fatalf("cannot read what was written: %v\n%s", err, d.Bytes())
		}
		if !slices.Equal(again.Keys(), d.Keys()) {
			t.Fatalf("keys %q became %q", d.Keys(), again.Keys())
		}
		for _, k := range d.Keys() {
			if again.Get(k) != d.Get(k) {
				t.Fatalf("%s: %q became %q", k, d.Get(k), again.Get(k))
			}
		}
	})
}

func FuzzDescriptor(f *testing.F) {
	f.Add([]byte("CID=1\nparentCID=ffffffff\ncreateType=\"vmfs\"\nRW 8 VMFS \"a-flat.vmdk\"\nddb.uuid = \"60\"\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := ParseDescriptor(text)
		if err != nil {
			return
		}
		again, err := ParseDescriptor(d.Bytes())
		if err != nil {
			t.Fatalf("cannot read what was written: %v\n%s", err, d.Bytes())
		}
		if again.Sectors != d.Sectors || again.ExtentFile != d.ExtentFile || again.ParentFile != d.ParentFile || again.CID != d.CID {
			t.Fatalf("%+v became %+v", d, again)
		}
	})
}
