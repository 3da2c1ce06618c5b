package identity

import (
	"crypto/x509"
	"strings"
	"testing"
)

func TestTheSameSeedGivesTheSameCertificate(t *testing.T) {
	a, err := Source(60).Certificate("source")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := Source(60).Certificate("source")
	c, _ := Source(61).Certificate("source")
	if a.SHA1 != b.SHA1 || a.PEM != b.PEM {
		t.Error("two certificates for one name and seed differ")
	}
	if a.SHA1 == c.SHA1 {
		t.Error("another seed gives the same certificate")
	}
	x, err := x509.ParseCertificate(a.TLS.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(x)
	for _, name := range []string{"127.0.0.1", "localhost", "source"} {
		if _, err := x.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Errorf("not valid for %s: %v", name, err)
		}
	}
}

func TestShapes(t *testing.T) {
	s := Source(1)
	if mac := s.MAC("vm", "0"); !strings.HasPrefix(mac, "00:50:56:") || len(mac) != 17 || mac[9] > 'b' {
		t.Errorf("MAC %q is outside 00:50:56:80-bf", mac)
	}
	if u := s.UUID("vm", "app01"); len(u) != 36 || u[14] != '4' {
		t.Errorf("UUID %q", u)
	}
	if s.UUID("vm", "a", "bc") == s.UUID("vm", "ab", "c") {
		t.Error("parts of a name run into each other")
	}
	if w := s.WWN("esx", "0"); w>>56 != 0x20 {
		t.Errorf("WWN %x", w)
	}
}
