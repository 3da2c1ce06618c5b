package lab

import (
	"fmt"
	"regexp"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"

	"esxodus/lab/internal/scenario"
)

// Encrypted VMs. A key is named in the .vmx and in the data base of each disk; the key itself is at the key provider of the
// vCenter where the scenario has the VM, and no other vCenter is a client of that one. What a real host hides in encryption.data
// stays readable.

// diskKey is where a disk names its key.
const diskKey = "ddb.lab.keySafe"

var safe = regexp.MustCompile(`\(fqid/<VMWARE-NULL>/([^/)]+)/([^/)]+)\)`)

// provider is the name of a vCenter's key provider.
func provider(vcenter string) string { return "kms-" + vcenter }

// keySafe names a key as a .vmx does.
func keySafe(k *types.CryptoKeyId) string {
	return fmt.Sprintf("vmware:key/list/(pair/(fqid/<VMWARE-NULL>/%s/%s),HMAC-SHA-256)", k.ProviderId.Id, k.KeyId)
}

// keyOf reads the name of a key; nil where none is named.
func keyOf(text string) *types.CryptoKeyId {
	m := safe.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	return &types.CryptoKeyId{KeyId: m[2], ProviderId: &types.KeyProviderId{Id: m[1]}}
}

// keysOf are the keys that a configuration needs: its own and those of its disks.
func keysOf(c *types.VirtualMachineConfigInfo) (out []types.CryptoKeyId) {
	if c.KeyId != nil {
		out = append(out, *c.KeyId)
	}
	for _, x := range c.Hardware.Device {
		if disk, ok := x.(*types.VirtualDisk); ok {
			if b, ok := disk.Backing.(*types.VirtualDiskFlatVer2BackingInfo); ok && b.KeyId != nil {
				out = append(out, *b.KeyId)
			}
		}
	}
	return out
}

// decipher refuses a VM with a key that this vCenter cannot get, and a host that is too old for encryption.
func (vc *VC) decipher(c *types.VirtualMachineConfigInfo, host *simulator.HostSystem) types.BaseMethodFault {
	keys := keysOf(c)
	if len(keys) == 0 {
		return nil
	}
	var version, name string
	vc.read(host, func() { version, name = host.Config.Product.Version, host.Name })
	if scenario.Compare(version, "6.5") < 0 {
		return because(new(types.NotSupported), "The virtual machine is encrypted; host '%s' with ESXi %s knows no encryption.", name, version)
	}
	for _, k := range keys {
		if k.ProviderId == nil || k.ProviderId.Id != provider(vc.Spec.Name) {
			return because(&types.EncryptionKeyRequired{RequiredKey: keys}, "The virtual machine is encrypted and this vCenter Server has not its key.")
		}
	}
	return nil
}
