package lab

import (
	"crypto/sha1" //nolint:gosec // vSphere pins certificates by their SHA-1 thumbprint
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// oldestCross is the oldest vCenter and ESXi that a VM can leave for another vCenter, or come to: below it there is no supported
// path between vCenters of different versions (docs/vsphere-facts.md, "Versions and paths").
const oldestCross = "6.5"

// clockTolerance is how far the clocks of two vCenters may differ: a login of one at the other is by tokens that are valid for a time,
// and single sign-on tolerates ten minutes.
const clockTolerance = 10 * time.Minute

// locate finds and checks the vCenter that a VM is to move to, as its present one does: it has to answer at the URL with the
// certificate that is pinned, and to accept the credential.
func (vc *VC) locate(s *types.ServiceLocator) (*VC, types.BaseMethodFault) {
	i := slices.IndexFunc(vc.lab.VCenters, func(x *VC) bool { return x != vc && x.InstanceUUID() == s.InstanceUuid })
	if i < 0 {
		return nil, because(&types.InvalidArgument{InvalidProperty: "spec.service.instanceUuid"}, "No other vCenter has it.")
	}
	to := vc.lab.VCenters[i]
	for _, x := range []*VC{vc, to} {
		if scenario.Compare(x.Spec.Version, oldestCross) < 0 {
			return nil, because(new(types.NotSupported), "vCenter %s does not support migration between vCenter %s and vCenter %s: both have to be %s or later.",
				vc.Spec.Name, vc.Spec.Version, to.Spec.Version, oldestCross)
		}
	}
	found, f := vc.thumbprintAt(s.Url)
	switch {
	case f != nil:
		return nil, f
	case !strings.EqualFold(found, s.SslThumbprint):
		pinned := s.SslThumbprint
		if pinned == "" {
			pinned = "none"
		}
		return nil, because(&types.SSLVerifyFault{SelfSigned: true, Thumbprint: found}, "The expected thumbprint is %s.", pinned)
	case found != to.Certificate().SHA1:
		return nil, because(&types.InvalidArgument{InvalidProperty: "spec.service.url"}, "Another vCenter than %s answers there.", s.InstanceUuid)
	}
	c, ok := s.Credential.(*types.ServiceLocatorNamePassword)
	if !ok {
		return nil, because(new(types.InvalidLogin), "The lab knows no other credential than name and password.")
	}
	if c.Username != to.Spec.Username || c.Password != to.Spec.Password {
		return nil, new(types.InvalidLogin)
	}
	if apart := (vc.Spec.ClockSkew - to.Spec.ClockSkew).Abs(); apart > clockTolerance {
		return nil, because(new(types.InvalidLogin), "The clocks of vCenter %s and vCenter %s are %s apart: the login is not valid at that time.",
			vc.Spec.Name, to.Spec.Name, apart)
	}
	return to, nil
}

// thumbprintAt connects to a URL and returns the SHA-1 thumbprint of the certificate there.
func (vc *VC) thumbprintAt(address string) (string, types.BaseMethodFault) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || !slices.Contains([]string{"", "/", "/sdk"}, u.Path) {
		return "", because(&types.InvalidArgument{InvalidProperty: "spec.service.url"}, "'%s' is no address of a vCenter; it looks like https://name/sdk.", address)
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "443")
	}
	d := tls.Dialer{
		NetDialer: &net.Dialer{Timeout: 5 * time.Second},
		Config:    &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, //nolint:gosec // the caller compares the thumbprint
	}
	conn, err := d.DialContext(vc.lab.ctx, "tcp", host)
	if err != nil {
		return "", because(&types.NoHost{Name: host}, "No vCenter answers at '%s': %v.", host, cause(err))
	}
	defer func() { _ = conn.Close() }()
	return thumbprint(conn.(*tls.Conn).ConnectionState().PeerCertificates[0].Raw), nil
}

func thumbprint(der []byte) string {
	sum := sha1.Sum(der) //nolint:gosec // see above
	return strings.ReplaceAll(strings.TrimSpace(fmt.Sprintf("% X", sum[:])), " ", ":")
}
