"""What the operator is to be warned of at the new site as a whole: parts that are adopted and not as declared, or missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_vsphere import DistributedPortGroup, DistributedVirtualSwitch, HostPortGroup

from migration import new_site
from migration.wanted import Method

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from components.adoption import Adoption
    from components.settings import Settings
    from migration.model import Concern
    from vsphere.existing import Existing, There


def found(stack: Settings, adoption: Adoption, there: There) -> Iterator[Concern]:
    """Yield every warning about the site, from what exists at its vCenter."""
    yield from missing_vmotion(stack, there.ids(stack.target.datacenter))
    yield from off_the_switch(stack, adoption, there.members)
    yield from other_vlans(stack, adoption, there.vlans(stack.target.datacenter))


def off_the_switch(stack: Settings, adoption: Adoption, members: Callable[[str], Collection[str]]) -> Iterator[Concern]:
    """Yield a warning for each host that is no member of a distributed switch that is adopted, by its UUID."""
    switch = stack.target.switch
    uuid = switch and adoption.sees("switch", switch.name, DistributedVirtualSwitch)
    if switch and uuid:
        hosts = [host.name for host in stack.target.hosts]
        yield from new_site.off_the_switch(hosts, switch.name, members(uuid))


def missing_vmotion(stack: Settings, there: Existing) -> list[Concern]:
    """Return a warning for each host that will have no adapter for vMotion, where it is wanted."""
    hosts = stack.target.hosts
    has = {name.rpartition(" ")[0] for name in there["vMotion adapter"]} | {one.name for one in hosts if one.vmotion}
    live = any(spec.method is Method.XVM for _, spec in stack.specs())
    return list(new_site.without_vmotion([one.name for one in hosts], has, drs=stack.target.cluster.drs, live=live))


def other_vlans(stack: Settings, adoption: Adoption, vlans: Mapping[str, Mapping[str, int]]) -> Iterator[Concern]:
    """Yield a warning for each network that is adopted and has another VLAN than is declared."""
    target = stack.target
    declared = [(one.name, one.vlan, one.switch) for one in target.networks]
    if target.vmotion:
        declared.append((target.vmotion.network, target.vmotion.vlan, target.vmotion.switch))
    for name, vlan, switch in declared:
        if not target.is_standard(switch):
            has = vlans["network"].get(name, vlan) if adoption.sees("network", name, DistributedPortGroup) else vlan
            yield from new_site.other_vlan(name, vlan, {has: []})
            continue
        by_vlan: dict[int, list[str]] = {}
        for host in target.hosts:
            key = f"{host.name} {name}"
            if adoption.sees("host network", key, HostPortGroup):
                by_vlan.setdefault(vlans["host network"].get(key, vlan), []).append(host.name)
        yield from new_site.other_vlan(name, vlan, by_vlan)
