package lab

import (
	"fmt"
	"strconv"

	"esxodus/lab/internal/identity"
)

// Certificate is the one that the vCenter shows at present.
func (vc *VC) Certificate() identity.Certificate { return *vc.certificate.Load() }

// ExchangeCertificate gives a vCenter another certificate, as its certificate tool does: its services start anew, so that every
// connection is closed and every session has ended. Its tasks go on.
func (s *Server) ExchangeCertificate(vcenter string) error {
	f := s.fronts[vcenter]
	if f == nil {
		return fmt.Errorf("there is no vCenter %q", vcenter)
	}
	vc := s.Lab().VCenter(vcenter)
	f.down()
	vc.endSessions()
	f.mu.Lock()
	f.exchanged++
	cert, err := vc.lab.ID.Certificate(vcenter, "exchange", strconv.Itoa(f.exchanged))
	if err == nil {
		vc.certificate.Store(&cert)
		f.cert = cert.TLS
	}
	f.mu.Unlock()
	if err != nil {
		return err
	}
	return f.up()
}
