package lab

// Endpoints are what a client needs to reach the lab: printed at start as one line of JSON.
type Endpoints struct {
	Control  string                     `json:"control"`
	Scenario string                     `json:"scenario"`
	VCenters map[string]VCenterEndpoint `json:"vcenters"`
	Hosts    map[string]HostEndpoint    `json:"hosts"`
	Fabrics  map[string]FabricEndpoint  `json:"fabrics"`
}

// VCenterEndpoint is where and as whom a vCenter is reached.
type VCenterEndpoint struct {
	Host             string `json:"host"` // host:port
	URL              string `json:"url"`
	Thumbprint       string `json:"thumbprint"` // SHA-1
	ThumbprintSHA256 string `json:"thumbprintSha256"`
	Certificate      string `json:"certificate"` // PEM
	Username         string `json:"username"`
	Password         string `json:"password"`
	Version          string `json:"version"`
	InstanceUUID     string `json:"instanceUuid"`
}

// HostEndpoint is what AddHost_Task asks for.
type HostEndpoint struct {
	Thumbprint string `json:"thumbprint"` // SHA-1
	Version    string `json:"version"`
	Username   string `json:"username"`
	Password   string `json:"password"`
}

// Endpoints returns those of the server; the control port is left to who opens it.
func (s *Server) Endpoints() Endpoints {
	l := s.Lab()
	out := Endpoints{Scenario: l.Scenario.Name, Control: s.Control, VCenters: map[string]VCenterEndpoint{}, Hosts: map[string]HostEndpoint{}, Fabrics: map[string]FabricEndpoint{}}
	for _, f := range l.Scenario.Fabric.Switches {
		cert, err := l.ID.Certificate(f.Name)
		if err != nil {
			continue // derived from a hash: cannot happen
		}
		out.Fabrics[f.Name] = FabricEndpoint{
			Host: s.Address(fabricPrefix + f.Name), Thumbprint: cert.SHA1, ThumbprintSHA256: cert.SHA256, Certificate: cert.PEM,
			Username: f.Username, Password: f.Password,
		}
	}
	for _, vc := range l.VCenters {
		at, cert := s.Address(vc.Spec.Name), vc.Certificate()
		out.VCenters[vc.Spec.Name] = VCenterEndpoint{
			Host: at, URL: "https://" + at + "/sdk",
			Thumbprint: cert.SHA1, ThumbprintSHA256: cert.SHA256, Certificate: cert.PEM,
			Username: vc.Spec.Username, Password: vc.Spec.Password, Version: vc.Spec.Version, InstanceUUID: vc.InstanceUUID(),
		}
		for _, h := range vc.Spec.Hosts {
			cert, err := l.ID.Certificate(h.Name)
			if err != nil {
				continue // derived from a hash: cannot happen
			}
			out.Hosts[h.Name] = HostEndpoint{Thumbprint: cert.SHA1, Version: h.Version, Username: "root", Password: h.Password}
		}
	}
	return out
}
