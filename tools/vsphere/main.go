// Command pulumi-resource-vsphere is the vSphere resource plugin for machines that cannot download the released one.
//
// Upstream serves nothing newer than June 2021 as a Go module, so it knows fewer properties than the release; it
// gives every resource the released token and property names, so that programs and states fit both.
package main

import (
	"github.com/hashicorp/terraform-plugin-sdk/helper/schema"
	"github.com/hashicorp/terraform-provider-vsphere/vsphere"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v1"
)

// version is stamped by the linker with the version of the plugin that is stood in for.
var version = "0.0.0"

// No program is generated from this plugin: the SDK that users import was generated from the released one.
const emptySchema = `{"name": "vsphere"}`

func main() {
	tfbridge.Main("vsphere", version, provider(), []byte(emptySchema))
}

func provider() tfbridge.ProviderInfo {
	info := tfbridge.ProviderInfo{
		P:            shim.NewProvider(vsphere.Provider().(*schema.Provider)),
		Name:         "vsphere",
		Version:      version,
		MetadataInfo: tfbridge.NewProviderMetadata([]byte("{}")),
	}
	info.MustComputeTokens(tokens.SingleModule("vsphere_", "index", tokens.MakeStandard("vsphere")))
	info.SetAutonaming(255, "-")
	return info
}
