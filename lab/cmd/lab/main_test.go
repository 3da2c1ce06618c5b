package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const file = "../../scenarios/lab.yaml"

func TestItPrintsItsEndpointsAndEndsWithItsInput(t *testing.T) {
	in, closeIn := io.Pipe()
	out, outW := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run([]string{"--scenario", file, "--any-port"}, in, outW) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var e struct {
		Control  string
		VCenters map[string]struct{ URL, Thumbprint, Certificate string }
		Hosts    map[string]struct{ Thumbprint string }
	}
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(e.Control, "http://127.0.0.1:") || len(e.VCenters) != 2 || len(e.Hosts) != 7 || len(e.Hosts["esx70-1.lab"].Thumbprint) != 59 {
		t.Errorf("%s", line)
	}
	_ = closeIn.Close()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it does not end")
	}
}

func TestMistakesAreOneClearLine(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("name: x\ntimescale: fast\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:8460")
	if err == nil {
		defer func() { _ = l.Close() }()
	} // else it is in use already
	for want, args := range map[string][]string{
		"bad.yaml: line 2: timescale: \"fast\" is not a number":                                   {"--scenario", bad},
		"no such file or directory":                                                               {"--scenario", "nowhere.yaml"},
		"lab: vCenter source: cannot listen on 127.0.0.1:8460: address already in use":            {"--scenario", file, "--control", "127.0.0.1:0"},
		"lab: --control 10.0.0.1:1: not an address of this machine; write such as 127.0.0.1:8450": {"--control", "10.0.0.1:1"},
		"lab: unexpected argument \"start\"; --help shows what is allowed":                        {"start"},
	} {
		err := run(args, strings.NewReader(""), io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
}
