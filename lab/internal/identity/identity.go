// Package identity derives every identifier of a lab from the seed of its scenario, so that the same scenario gives the same
// UUIDs, addresses and certificates each time and a stack file can hold a thumbprint.
package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha1" //nolint:gosec // vSphere pins certificates by their SHA-1 thumbprint
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Source derives identifiers from one seed.
type Source int64

func (s Source) sum(kind string, parts []string) [sha256.Size]byte {
	return sha256.Sum256(fmt.Appendf(nil, "%d\x00%s\x00%s", int64(s), kind, strings.Join(parts, "\x00")))
}

// Bytes returns n ≤ 32 bytes for a kind of thing and its name.
func (s Source) Bytes(n int, kind string, parts ...string) []byte {
	b := s.sum(kind, parts)
	return b[:n]
}

// UUID returns a version 4 shaped UUID.
func (s Source) UUID(kind string, parts ...string) string {
	b := s.sum("uuid "+kind, parts)
	u, _ := uuid.FromBytes(b[:16])
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return u.String()
}

// MAC returns an address from VMware's range for addresses that a vCenter assigns: 00:50:56:80-bf:xx:xx.
func (s Source) MAC(parts ...string) string {
	b := s.sum("mac", parts)
	return fmt.Sprintf("00:50:56:%02x:%02x:%02x", 0x80|b[0]&0x3f, b[1], b[2])
}

// WWN returns a Fibre Channel world wide name as a number, with the high byte of an NAA 2 name.
func (s Source) WWN(parts ...string) int64 {
	b := s.sum("wwn", parts)
	v := int64(0x20)
	for _, x := range b[:7] {
		v = v<<8 | int64(x)
	}
	return v
}

// Certificate is a self-signed certificate with its thumbprints.
type Certificate struct {
	TLS    tls.Certificate
	PEM    string
	SHA1   string // "AB:CD:…", as vSphere writes it
	SHA256 string
}

// Certificate makes the certificate of a server: ECDSA P-256 (the one deterministic kind that every TLS client accepts),
// valid from 2020 to 2049 for its name, localhost and 127.0.0.1. One that replaces an earlier one of the server is named by what
// tells it apart.
func (s Source) Certificate(name string, apart ...string) (Certificate, error) {
	parts := append([]string{name}, apart...)
	raw := s.sum("key", parts)
	raw[0] &= 0x7f // below the order of the curve
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw[:])
	if err != nil {
		return Certificate{}, err
	}
	t := &x509.Certificate{
		SerialNumber:          new(big.Int).SetBytes(s.Bytes(8, "serial", parts...)),
		Subject:               pkix.Name{CommonName: name, Organization: []string{"Esxodus lab"}},
		NotBefore:             time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(2049, 1, 1, 0, 0, 0, 0, time.UTC),
		DNSNames:              []string{name, "localhost"},
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1).To4()},
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:                  true, // so that it can also be handed to a client as its CA bundle
		BasicConstraintsValid: true,
	}
	// Without a source of randomness the signature is deterministic (RFC 6979).
	der, err := x509.CreateCertificate(nil, t, t, &key.PublicKey, key)
	if err != nil {
		return Certificate{}, err
	}
	one, two := sha1.Sum(der), sha256.Sum256(der) //nolint:gosec // see above
	return Certificate{
		TLS:    tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		PEM:    string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		SHA1:   colons(one[:]),
		SHA256: colons(two[:]),
	}, nil
}

func colons(b []byte) string {
	hex := make([]string, len(b))
	for i, x := range b {
		hex[i] = fmt.Sprintf("%02X", x)
	}
	return strings.Join(hex, ":")
}
