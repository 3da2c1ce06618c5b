"""Which host of a cluster can take a VM that has to leave its own while it runs. Pure."""

from __future__ import annotations

from migration.model import Power, Vm
from migration.observation import Host
from migration.upgrade_fleet import Fleet, Member


def destination(vm: Vm, fleet: Fleet, leaving: str) -> tuple[Host | None, str]:
    """Return the host for a VM that has to leave, the emptiest of those that can take it; else why none can."""
    against: dict[str, list[str]] = {}
    able = []
    for one in fleet.others(leaving):
        why = refused(vm, one, fleet)
        if why:
            against.setdefault(why, []).append(one.name)
        else:
            able.append(one.host)
    if able:
        return max(able, key=lambda host: (room(host, fleet)[1], host.name)), ""
    said = "; ".join(f"{', '.join(names)}: {why}" for why, names in against.items())
    return None, said or "there is no other host"


def room(host: Host, fleet: Fleet) -> tuple[float, float]:
    """Return the MHz that no VM that runs on the host has reserved, and the memory that none of them may come to use."""
    running = [vm for vm in fleet.vms if vm.host == host.name and vm.power is Power.ON]
    return host.mhz - sum(vm.cpu_reservation for vm in running), host.memory - sum(vm.memory for vm in running)


def refused(vm: Vm, member: Member, fleet: Fleet) -> str:
    """Return why a host cannot take the VM while it runs, "" where it can."""
    host = member.host
    if member.out:
        return "out of service"
    if not host.vmotion:
        return "carries no vMotion"
    if missing := sorted(fleet.volumes.get(one, one) for one in files(vm) - host.volumes):
        return f"does not reach {', '.join(missing)}"
    if missing := sorted({nic.network for nic in vm.nics if nic.connected and nic.network} - host.networks):
        return f"lacks the network {', '.join(missing)}"
    if vm.evc and host.evc and vm.evc not in host.evc:
        return f"lacks processor features of {vm.evc}"
    if rule := _ruled_out(vm, host, fleet):
        return f"DRS rule {rule!r}"
    mhz, memory = room(host, fleet)
    if vm.memory > memory:
        return f"{memory:.0f} GiB of memory left"
    if vm.cpu_reservation > mhz:
        return f"{mhz:.0f} MHz left that nobody has reserved"
    return ""


def files(vm: Vm) -> frozenset[str]:
    """Return the volumes that a host must reach to run the VM: those of its files, and of images in its drives."""
    return vm.volumes | {device.file.volume for device in vm.devices if device.connected and device.file}


def _ruled_out(vm: Vm, host: Host, fleet: Fleet) -> str:
    """Return the rule that keeps the VM off the host: apart from VMs there, or bound to, or kept off, a group of hosts."""
    there = {one.instance_uuid for one in fleet.vms if one.host == host.name and one.power is Power.ON}
    for rule in sorted(vm.metadata.rules):
        if not rule.enabled:
            continue
        if rule.kind == "antiAffinity" and there & {uuid for uuid, _ in rule.members if uuid != vm.instance_uuid}:
            return rule.name
        if rule.kind == "vmHost" and rule.mandatory:
            inside = host.name in fleet.groups.get(rule.host_group, frozenset())
            if inside is not rule.affine:
                return rule.name
    return ""
