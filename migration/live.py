"""What the platform asks of a move between two vCenters in one step (Advanced Cross vCenter vMotion). Pure.

With method `xvm` each of these blocks; with `auto` they are the reasons why a VM is reattached instead. They are asked in
either direction: from where the VM is to where it is wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from migration.model import Papers, Power, Severity, Vm
from migration.observation import Host, Observation, SiteView
from migration.rule import Found, Rule, rule
from migration.wanted import Method, Stage, VmSpec

OLDEST: Final = (6, 5)
"""The oldest vCenter and ESXi that take part, on either side (vsphere-facts: S11)."""
CLOCK_TOLERANCE: Final = 600.0
"""Seconds that the clocks of two vCenters may differ."""
HOST_DEVICES: Final = ("hostMedia", "usb", "serial", "parallel")
"""Devices that are a host's own; what gives a VM the host's hardware itself is the concern of migration.concerns.devices."""


def number(version: str) -> tuple[int, ...]:
    """Return (6, 0, 0) for "6.0.0"."""
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _moving(spec: VmSpec, seen: Observation) -> Iterator[tuple[Vm, SiteView, SiteView]]:
    """Yield each registration that has to change its site, with the site that it is at and the one where it is wanted."""
    if spec.method is Method.REATTACH:
        return
    for vm in seen.vms:
        here, there = seen.sites.get(vm.site), seen.sites.get(spec.home)
        if vm.site != spec.home and here and there:
            yield vm, here, there


def networks_there(spec: VmSpec, vm: Vm) -> dict[int, str]:
    """Return the network that each card, by device key, has at the other site; a card on none is left out."""
    papers: Papers | None = vm.unrestored if vm.site == spec.source else vm.papers
    if vm.site == spec.source:
        present = papers.nics if papers else {str(nic.key): nic.network for nic in vm.nics}
        return {int(key): spec.networks[name] for key, name in present.items() if name in spec.networks}
    back = {**(papers.nics if papers else {}), **added_cards(spec, vm)}
    return {int(key): name for key, name in back.items() if name}


def added_cards(spec: VmSpec, vm: Vm) -> dict[str, str]:
    """Return, by device key, the source's network for each card that was added, or first connected, at the target.

    That is the one network that the map leads from to where the card is; a card without such a one is left out.
    """
    known = vm.papers.nics if vm.papers else {}
    found = {}
    for nic in vm.nics:
        origins = [old for old, new in spec.networks.items() if new == nic.network]
        if vm.site == spec.target and not known.get(str(nic.key)) and len(origins) == 1:
            found[str(nic.key)] = origins[0]
    return found


def able(spec: VmSpec, there: SiteView) -> list[Host]:
    """Return the usable hosts that the VM may be given at the site where it is wanted."""
    cluster = spec.cluster if there.name == spec.target else ""
    only = spec.host if there.name == spec.target else ""
    return [host for host in there.hosts if host.usable and cluster in ("", host.cluster) and only in ("", host.name)]


@rule(
    "live.version",
    Severity.BLOCKS,
    "A vCenter or a host is older than 6.5, on either side.",
    remedy="use method reattach, or auto",
    source="S11, S12",
)
def version(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Refuse any side below 6.5; no build of 6.0 takes part."""
    for vm, here, there in _moving(spec, seen):
        for view in (here, there):
            if not view.version:
                yield Found(f"the version of {view.vcenter} is not known")
            elif number(view.version)[:2] < OLDEST:
                yield Found(
                    f"no build of vCenter {_short(view.version)} supports it, 6.5 is the oldest that does: "
                    f"{view.vcenter} is {view.version}"
                )
        takers = [host for host in able(spec, there) if host.version]
        if takers and all(number(host.version)[:2] < OLDEST for host in takers):
            yield Found(
                f"the hosts of {there.vcenter} run ESXi {takers[0].version}, and 6.5 is the oldest that takes part"
            )
        old = next((host for host in here.hosts if host.name == vm.host), None)
        if old and old.version and number(old.version)[:2] < OLDEST and number(here.version)[:2] >= OLDEST:
            yield Found(f"its host {old.name} runs ESXi {old.version}, and 6.5 is the oldest that takes part")


@rule(
    "live.cpu",
    Severity.BLOCKS,
    "The running VM needs CPU features that no host offers where it should go.",
    remedy="set esxodus:target.cluster.evc to a mode that covers it, power it off, or use method reattach",
    source="S29, S31, S58",
)
def cpu(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Refuse a running VM whose EVC mode no host there covers."""
    for vm, _, there in _moving(spec, seen):
        hosts = able(spec, there)
        if vm.power is Power.ON and vm.evc and hosts and not any(vm.evc in host.evc for host in hosts if host.evc):
            if any(not host.evc for host in hosts):
                continue  # a host that has not joined yet, in a preview
            yield Found(f"it runs with the CPU features of {vm.evc}, which no host of {there.vcenter} offers")


@rule(
    "live.no-vmotion",
    Severity.BLOCKS,
    "vMotion is not set up on its host, or on no host where it should go.",
    remedy="enable vMotion on a VMkernel adapter of the hosts, or use method reattach",
    source="S58",
)
def no_vmotion(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Refuse a running VM where vMotion has no network."""
    for vm, here, there in _moving(spec, seen):
        if vm.power is not Power.ON:
            continue
        if any(host.name == vm.host and not host.vmotion for host in here.hosts):
            yield Found(f"vMotion is not enabled on its host {vm.host}")
        hosts = able(spec, there)
        if hosts and not any(host.vmotion for host in hosts):
            yield Found(f"vMotion is enabled on no host of {there.vcenter}")


@rule(
    "live.switch",
    Severity.BLOCKS,
    "A card would go from a distributed switch to a standard one, or to a distributed switch of another version.",
    remedy="map the network to a port group of a distributed switch of that version (esxodus:target.switch.version), "
    "or use method reattach",
    source="S13b",
)
def switch(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Refuse what vCenter's network checks refuse."""
    for vm, here, there in _moving(spec, seen):
        wanted = networks_there(spec, vm)
        for nic in vm.nics:
            old, new = here.distributed.get(nic.network), wanted.get(nic.key, "")
            if old is None or not new:
                continue
            now = there.distributed.get(new)
            if now is None:
                yield Found(
                    f"{nic.label} would go from the distributed switch of {nic.network!r} to a standard one ({new!r})"
                )
            elif number(now) != number(old):
                yield Found(
                    f"{nic.label} would go from a distributed switch {old} ({nic.network!r}) to one of version {now}"
                )


@rule(
    "live.mac",
    Severity.BLOCKS,
    "Another VM where it should go has one of its MAC addresses.",
    remedy="give one of the two another MAC address",
    source="S13b, S50",
)
def mac(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Refuse a MAC clash."""
    for _vm, _, there in _moving(spec, seen):
        for address, (site, name) in sorted(seen.macs.items()):
            if site == there.name:
                yield Found(f"{name} at {there.vcenter} has its MAC address {address} too")


@rule(
    "live.suspended",
    Severity.BLOCKS,
    "The VM is suspended.",
    remedy="resume it, or power it off",
    source="S32",
)
def suspended(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Refuse a suspended VM: its memory image would need the same CPU."""
    for vm, _, _ in _moving(spec, seen):
        if vm.power is Power.SUSPENDED:
            yield Found("it is suspended")


@rule(
    "live.storage",
    Severity.BLOCKS,
    "Its files stay where they are, and the other side does not show them.",
    remedy="present and mount the datastore there, or let the files move along (stage migrated)",
    source="S13",
)
def storage(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Refuse to leave files behind on a volume that the new host cannot read."""
    for vm, here, there in _moving(spec, seen):
        if not files_stay(spec, seen, vm):
            continue
        known = {volume.id for volume in there.volumes}
        names = [here.volume_name(volume) or volume for volume in sorted(vm.volumes - known)]
        if names:
            yield Found(f"its files stay on {', '.join(names)}, which {there.vcenter} does not show")


@rule(
    "live.affinity",
    Severity.BLOCKS,
    "The running VM is bound to numbered processors or memory nodes.",
    remedy="remove the affinity, power it off, or use method reattach",
    source="API: AffinityConfigured",
)
def affinity(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Refuse what vCenter calls an error for a VM that is powered on."""
    for vm, _, _ in _moving(spec, seen):
        if vm.power is Power.ON and vm.pinned:
            yield Found(f"it runs with {vm.pinned}")


@rule(
    "live.device",
    Severity.BLOCKS,
    "The running VM has a connected device that the new host cannot reach.",
    remedy="disconnect the device, or use method reattach",
    source="S58",
)
def device(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Refuse devices of the host, and images on a datastore that the other side does not show."""
    for vm, _, there in _moving(spec, seen):
        known = {volume.id for volume in there.volumes}
        for one in vm.devices:
            image = one.kind in ("iso", "floppy") and one.file is not None and one.file.volume not in known
            if vm.power is Power.ON and one.connected and (image or one.kind in HOST_DEVICES):
                yield Found(f"{one.label} is connected to what {there.vcenter} cannot reach")


@rule(
    "live.clock",
    Severity.BLOCKS,
    "The clocks of the two vCenters are more than ten minutes apart; they refuse each other's logins.",
    remedy="set up NTP at both vCenters",
    source="S13; the tolerance: vCenter 6.7 installation guide, GUID-0D4FBFA1",
)
def clock(spec: VmSpec, seen: Observation) -> Iterator[Found]:
    """Refuse clocks that are far apart; where they are not quite in step the concern site.clock warns."""
    for _, here, there in _moving(spec, seen):
        apart = abs(here.skew - there.skew)
        if apart > CLOCK_TOLERANCE:
            yield Found(f"the clocks of {here.vcenter} and {there.vcenter} are {apart:.0f} s apart")


RULES: Final[tuple[Rule, ...]] = (
    version,
    cpu,
    no_vmotion,
    switch,
    mac,
    suspended,
    storage,
    affinity,
    device,
    clock,
)


def files_stay(spec: VmSpec, seen: Observation, vm: Vm) -> bool:
    """Say whether the VM changes its site and keeps its files where they are."""
    if spec.home == spec.target:
        return spec.stage is Stage.REHOSTED or vm.volumes <= seen.volume_ids(spec.target, spec.new_volumes)
    return vm.papers is not None and vm.volumes <= frozenset(vm.papers.disks.values())


def _short(version: str) -> str:
    return ".".join(version.split(".")[:2])
