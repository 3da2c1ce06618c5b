package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vmware/govmomi/vim25/types"
)

// image is a version of ESXi and its build.
type image struct{ version, build string }

// image is what the server has booted.
func (s *server) image() image {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runs
}

// lock begins or ends an installation, and says whether one was under way.
func (s *server) lock(begins bool) (was bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, s.locked = s.locked, begins
	return was
}

// product is what the server has booted, as the API describes it.
func (s *server) product() types.AboutInfo {
	x := s.image()
	return types.AboutInfo{
		Name: "VMware ESXi", FullName: fmt.Sprintf("VMware ESXi %s build-%s", x.version, x.build), Vendor: "VMware, Inc.", Version: x.version, Build: x.build,
		LocaleVersion: "INTL", LocaleBuild: "000", OsType: "vmnix-x86", ProductLineId: "embeddedEsx", ApiType: "HostAgent", ApiVersion: apiOf(x.version),
		LicenseProductName: "VMware ESX Server", LicenseProductVersion: majorMinor(x.version),
	}
}

// addDepots puts the offline bundles of the scenario on their volumes. What is in them stands in the scenario.
func (l *Lab) addDepots() error {
	for _, d := range l.Scenario.Depots {
		for _, lun := range l.Fabric.Status() {
			if lun.Volume == nil || lun.Volume.Label != d.Datastore {
				continue
			}
			file := l.on(place{lun.Volume.UUID, d.Path})
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte("PK"), 0o600)); err != nil {
				return err
			}
		}
	}
	return nil
}
