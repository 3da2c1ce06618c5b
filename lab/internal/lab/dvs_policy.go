package lab

import (
	"reflect"
	"slices"

	"github.com/vmware/govmomi/vim25/types"
)

func boolPolicy(b bool) *types.BoolPolicy       { return &types.BoolPolicy{Value: types.NewBool(b)} }
func stringPolicy(s string) *types.StringPolicy { return &types.StringPolicy{Value: s} }
func longPolicy(n int64) *types.LongPolicy      { return &types.LongPolicy{Value: n} }

// defaultPort is the port setting of a new distributed switch.
func defaultPort(uplinks []string) *types.VMwareDVSPortSetting {
	shaping := func() *types.DVSTrafficShapingPolicy {
		return &types.DVSTrafficShapingPolicy{
			Enabled: boolPolicy(false), AverageBandwidth: longPolicy(100000000), PeakBandwidth: longPolicy(100000000), BurstSize: longPolicy(104857600),
		}
	}
	return &types.VMwareDVSPortSetting{
		DVPortSetting: types.DVPortSetting{
			Blocked: boolPolicy(false), VmDirectPathGen2Allowed: boolPolicy(false), InShapingPolicy: shaping(), OutShapingPolicy: shaping(),
			VendorSpecificConfig: &types.DVSVendorSpecificConfig{}, NetworkResourcePoolKey: stringPolicy("-1"), FilterPolicy: &types.DvsFilterPolicy{},
		},
		Vlan: &types.VmwareDistributedVirtualSwitchVlanIdSpec{}, QosTag: &types.IntPolicy{Value: -1},
		UplinkTeamingPolicy: &types.VmwareUplinkPortTeamingPolicy{
			Policy: stringPolicy("loadbalance_srcid"), ReversePolicy: boolPolicy(true), NotifySwitches: boolPolicy(true), RollingOrder: boolPolicy(false),
			FailureCriteria: &types.DVSFailureCriteria{
				CheckSpeed: stringPolicy("minimum"), Speed: &types.IntPolicy{Value: 10}, CheckDuplex: boolPolicy(false), FullDuplex: boolPolicy(false),
				CheckErrorPercent: boolPolicy(false), Percentage: &types.IntPolicy{}, CheckBeacon: boolPolicy(false),
			},
			UplinkPortOrder: &types.VMwareUplinkPortOrderPolicy{ActiveUplinkPort: uplinks},
		},
		SecurityPolicy: &types.DVSSecurityPolicy{AllowPromiscuous: boolPolicy(false), MacChanges: boolPolicy(false), ForgedTransmits: boolPolicy(false)},
		IpfixEnabled:   boolPolicy(false), TxUplink: boolPolicy(false),
		LacpPolicy: &types.VMwareUplinkLacpPolicy{Enable: boolPolicy(false), Mode: stringPolicy("passive")},
	}
}

// mergePort returns a port setting with what is set in another. The order of uplinks is one value: whoever writes the active ones
// writes the standby ones too.
func mergePort(old, spec *types.VMwareDVSPortSetting) *types.VMwareDVSPortSetting {
	n := merged(old, spec)
	if t := spec.UplinkTeamingPolicy; t != nil && t.UplinkPortOrder != nil {
		n.UplinkTeamingPolicy = pointer(*n.UplinkTeamingPolicy)
		n.UplinkTeamingPolicy.UplinkPortOrder = t.UplinkPortOrder
	}
	return n
}

// inheritPort completes a port group's setting: what is left out, or marked as inherited, is the switch's, marked as inherited.
func inheritPort(own, from *types.VMwareDVSPortSetting) *types.VMwareDVSPortSetting {
	n := pointer(*own)
	inherit(reflect.ValueOf(n).Elem(), reflect.ValueOf(from).Elem())
	return n
}

func inherit(own, from reflect.Value) {
	for i := range own.NumField() {
		o, f := own.Field(i), from.Field(i)
		if o.Kind() == reflect.Struct { // an embedded setting
			inherit(o, f)
			continue
		}
		if o.Kind() != reflect.Pointer && o.Kind() != reflect.Interface || f.IsNil() {
			continue
		}
		if o.IsNil() || inherited(o) {
			o.Set(marked(f))
			continue
		}
		if o.Kind() == reflect.Pointer && o.Elem().Kind() == reflect.Struct && f.Type() == o.Type() {
			c := reflect.New(o.Elem().Type())
			c.Elem().Set(o.Elem())
			inherit(c.Elem(), f.Elem())
			o.Set(c)
		}
	}
}

// inherited reports whether a policy says that it is inherited.
func inherited(v reflect.Value) bool {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	f := v.FieldByName("Inherited")
	return f.IsValid() && f.Kind() == reflect.Bool && f.Bool()
}

// marked returns a copy of a policy that says, in it and in all its parts, that it is inherited.
func marked(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Interface:
		return marked(v.Elem())
	case reflect.Pointer:
		if v.IsNil() || v.Elem().Kind() != reflect.Struct {
			return v
		}
		c := reflect.New(v.Elem().Type())
		c.Elem().Set(v.Elem())
		if f := c.Elem().FieldByName("Inherited"); f.IsValid() && f.Kind() == reflect.Bool {
			f.SetBool(true)
		}
		for i := range c.Elem().NumField() {
			if f := c.Elem().Field(i); f.Kind() == reflect.Pointer && f.CanSet() {
				f.Set(marked(f))
			}
		}
		return c
	}
	return v
}

// trafficDefaults are the shares of the host's own traffic under Network I/O Control.
func trafficDefaults() []types.DvsHostInfrastructureTrafficResource {
	var out []types.DvsHostInfrastructureTrafficResource
	for _, k := range []string{"management", "faultTolerance", "vmotion", "virtualMachine", "iSCSI", "nfs", "hbr", "vsan", "vdp"} {
		level, shares := types.SharesLevelNormal, int32(50)
		if k == "virtualMachine" {
			level, shares = types.SharesLevelHigh, 100
		}
		out = append(out, types.DvsHostInfrastructureTrafficResource{Key: k, AllocationInfo: types.DvsHostInfrastructureTrafficResourceAllocation{
			Limit: types.NewInt64(-1), Shares: &types.SharesInfo{Level: level, Shares: shares}, Reservation: types.NewInt64(0),
		}})
	}
	return out
}

func mergeTraffic(old, spec []types.DvsHostInfrastructureTrafficResource) []types.DvsHostInfrastructureTrafficResource {
	out := slices.Clone(old)
	for _, s := range spec {
		for i := range out {
			if out[i].Key == s.Key {
				out[i] = *merged(&out[i], &s)
			}
		}
	}
	return out
}
