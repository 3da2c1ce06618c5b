"""From the raw properties of one virtual machine to what the migration knows of it. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from migration.lease import Lease
from migration.model import Papers, Power, Question, Tools, Vm
from vsphere.hardware import bound, disks, nics
from vsphere.names import decoded
from vsphere.snapshot import Record
from vsphere.surroundings import Surroundings

PAPERS: Final = "esxodus.papers"
"""The key in a VM's extra config, hence in its .vmx, that its papers are under."""
LEASE: Final = "esxodus.lease"
"""The same for what it says of the run that is at work on it."""


def machine(record: Record, around: Surroundings) -> Vm:
    """Return the VM. Of one that its vCenter cannot read, such as an inaccessible one, little more than the name is known."""
    tree = getattr(record.get("snapshot"), "rootSnapshotList", None) or ()
    return Vm(
        site=around.site,
        name=decoded(str(record.get("name", ""))),
        instance_uuid=instance_uuid(record),
        bios_uuid=str(record.get("config.uuid", "")),
        vmx=around.file(vmx_path(record)),
        power=Power(str(record.get("runtime.powerState", Power.OFF))),
        datacenter=around.place.datacenter,
        cluster=around.place.cluster,
        folder=around.place.folder,
        pool=around.place.pool,
        host=around.place.host,
        template=bool(record.get("config.template", False)),
        disks=disks(record, around),
        nics=nics(record, around),
        notes=str(record.get("config.annotation", "")),
        attributes=_attributes(record, around.fields),
        papers=papers(record),
        hardware=_hardware(str(record.get("config.version", ""))),
        memory=record.get("config.hardware.memoryMB", 0) / 1024,
        snapshots=_count(tree),
        tools=_tools(record),
        question=_question(record.get("runtime.question")),
        in_flight=around.in_flight,
        vapp=record.get("parentVApp") is not None,
        evc=_evc(record, around.place.features),
        cpus=int(record.get("config.hardware.numCPU", 0)),
        cpu_reservation=reserved(record, "config.cpuAllocation"),
        memory_reservation=reserved(record, "config.memoryAllocation") / 1024,
        depth=_depth(tree),
        addresses=_addresses(record),
        devices=bound(record, around),
        pinned=", ".join(_pins(record)),
        latency_sensitive=str(getattr(record.get("config.latencySensitivity"), "level", "")) == "high",
        fault_tolerant=fault_tolerant(record),
        encrypted=record.get("config.keyId") is not None,
        tools_installer=bool(record.get("runtime.toolsInstallerMounted", False)),
        consolidation=bool(record.get("runtime.consolidationNeeded", False)),
        change_tracking=bool(record.get("config.changeTrackingEnabled", False)),
        locked=around.locked,
        metadata=around.metadata,
        pools=around.place.pools,
        reachable=_reachable(record),
        lease=lease(record.get("config.extraConfig", ())),
    )


def _evc(record: Record, features: str) -> str:
    """Return the mode that it needs. The API leaves it out for a VM in no EVC cluster (VirtualMachineRuntimeInfo)."""
    if str(record.get("runtime.powerState", Power.OFF)) == Power.OFF:
        return ""
    return str(record.get("runtime.minRequiredEVCModeKey") or features)


def instance_uuid(record: Record) -> str:
    """Return the VM's instance UUID, "" where it is not known."""
    return str(record.get("config.instanceUuid") or record.get("summary.config.instanceUuid", ""))


def vmx_path(record: Record) -> str:
    """Return "[datastore] folder/name.vmx", "" where it is not known."""
    return str(record.get("config.files.vmPathName") or record.get("summary.config.vmPathName", ""))


def papers(record: Record) -> Papers | None:
    """Return the papers that the VM carries."""
    options = record.get("config.extraConfig", ())
    text = next((option.value for option in options if option.key == PAPERS), "")
    return Papers.loads(str(text)) if text else None


def lease(options: Iterable[Any]) -> Lease | None:
    """Return what a VM's extra config says of the run that is at work on it."""
    text = next((option.value for option in options if option.key == LEASE), "")
    return Lease.loads(str(text)) if text else None


def _attributes(record: Record, fields: Mapping[int, str]) -> dict[str, str]:
    """Return the custom attributes that are set; vCenter keeps one that was cleared as an empty value."""
    return {
        fields[int(one.key)]: str(one.value)
        for one in record.get("customValue", ())
        if int(one.key) in fields and one.value
    }


def _hardware(version: str) -> int:
    """Return 11 for "vmx-11"."""
    number = version.removeprefix("vmx-")
    return int(number) if number.isdigit() else 0


def _count(tree: Any) -> int:
    return sum(1 + _count(node.childSnapshotList or ()) for node in tree)


def _depth(tree: Any) -> int:
    """Return the number of snapshots on the longest branch."""
    return max((1 + _depth(node.childSnapshotList or ()) for node in tree), default=0)


def reserved(record: Record, path: str) -> float:
    """Return what is reserved for the VM by the allocation at this path: MHz or MB."""
    return float(getattr(record.get(path), "reservation", None) or 0)


def _addresses(record: Record) -> tuple[str, ...]:
    """Return the guest's addresses that will be the same after a reboot, in a steady order."""
    # Interfaces that belong to no card of the VM (-1), such as those of containers, come and go.
    found = [one for card in record.get("guest.net", ()) if card.deviceConfigId != -1 for one in _of_card(card)]
    texts = found or [str(record.get("guest.ipAddress") or "")]
    parsed = {address for text in texts if (address := _address(text)) is not None}
    return tuple(str(one) for one in sorted(parsed, key=lambda one: (one.version, int(one))))


def _of_card(card: Any) -> Iterator[str]:
    if card.ipConfig is None:
        yield from (str(one) for one in card.ipAddress or ())
        return
    for one in card.ipConfig.ipAddress or ():
        if one.origin != "random":  # a temporary IPv6 address
            yield str(one.ipAddress)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return None if address.is_link_local or address.is_loopback or address.is_unspecified else address


def _pins(record: Record) -> Iterator[str]:
    """Yield what binds the VM to processors or memory nodes."""
    for path, name in (("config.cpuAffinity", "CPU affinity"), ("config.memoryAffinity", "memory affinity")):
        if getattr(record.get(path), "affinitySet", None):
            yield name
    options = record.get("config.extraConfig", ())
    if any(option.key == "numa.nodeAffinity" and option.value for option in options):
        yield "NUMA node affinity"


def fault_tolerant(record: Record) -> bool:
    """Say whether the VM is one of a fault-tolerant pair, on or off."""
    state = str(record.get("runtime.faultToleranceState", "notConfigured"))
    return state != "notConfigured" or record.get("config.ftInfo") is not None


def _reachable(record: Record) -> bool:
    state = str(record.get("runtime.connectionState", "connected"))
    return state == "connected" and record.get("config.files.vmPathName") is not None


def _tools(record: Record) -> Tools:
    if record.get("guest.toolsRunningStatus") == "guestToolsRunning":
        return Tools.RUNNING
    # Nothing known (a host that has just reconnected) is no reason to pull the plug: it may come up.
    if record.get("guest.toolsVersionStatus2") == "guestToolsNotInstalled":
        return Tools.NOT_INSTALLED
    return Tools.NOT_RUNNING


def _question(raised: Any) -> Question | None:
    if raised is None:
        return None
    return Question(
        id=str(raised.id),
        text=str(raised.text),
        message_ids=tuple(str(message.id) for message in raised.message or ()),
        choices={str(choice.key): str(choice.label) for choice in raised.choice.choiceInfo or ()},
    )
