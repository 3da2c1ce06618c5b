"""Reading a .vmx file. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from migration.lease import Lease
from migration.model import Adrift, File, Needs, Nic, Papers
from vsphere.machines import LEASE, PAPERS
from vsphere.names import beside, decoded

LONGEST: Final = 1 << 20
"""Bytes that a .vmx may have; real ones have a few thousand. A longer file is none."""

_LINE: Final = re.compile(r'^\s*(?P<key>[^#=\s][^=\s]*)\s*=\s*"(?P<value>[^"]*)"\s*$')
_ESCAPE: Final = re.compile(rb"\|([0-9A-Fa-f]{2})")
_ENCODING: Final = re.compile(rb'^\s*\.encoding\s*=\s*"([\w.-]+)"', re.MULTILINE | re.IGNORECASE)
_DISK: Final = re.compile(r"^(scsi|sata|ide|nvme)\d+:\d+$")
_FIRST_CARD: Final = 4000
"""vSphere's device key of ethernet0; the others follow on."""


def parsed(content: bytes) -> dict[str, str]:
    """Return the settings by lower-case key. A value's |22 and the like stand for the byte with that hexadecimal number."""
    named = _ENCODING.search(content)
    encoding = named[1].decode("ascii") if named else "utf-8"
    settings = {}
    for line in content.splitlines():
        match = _LINE.match(_decoded(line, encoding))
        if match:
            value = _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), match["value"].encode(errors="replace"))
            settings[match["key"].lower()] = value.decode(errors="replace")
    return settings


def adrift(content: bytes, vmx: File, volume: Callable[[str], str | None]) -> Adrift:
    """Return the VM that the file describes. `volume` turns what an ESXi path calls a volume into its id."""
    settings = parsed(content)
    text, lease = settings.get(PAPERS.lower(), ""), settings.get(LEASE.lower(), "")
    return Adrift(
        name=decoded(settings.get("displayname") or vmx.path.rpartition("/")[2].removesuffix(".vmx")),
        instance_uuid=uuid(settings.get("vc.uuid", "")),
        vmx=vmx,
        volumes=frozenset({vmx.volume, *_disk_volumes(settings, vmx, volume)}),
        papers=Papers.loads(text) if text else None,
        nics=tuple(_cards(settings)),
        needs=_needs(settings),
        lease=Lease.loads(lease) if lease else None,
    )


def uuid(text: str) -> str:
    """Return "52 1f … -…", as a .vmx has it, in the form with four hyphens; "" where it is none."""
    digits = re.sub(r"[^0-9a-f]", "", text.lower())
    if len(digits) != 32:
        return ""
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _decoded(line: bytes, encoding: str) -> str:
    try:
        return line.decode(encoding, errors="replace")
    except (LookupError, UnicodeError):  # no such encoding, or one of Python's that is none of text
        return line.decode(errors="replace")


def _needs(settings: Mapping[str, str]) -> Needs:
    def number(key: str, usual: int = 0) -> int:
        text = settings.get(key, "").strip()
        return int(text) if text.isdecimal() else usual

    return Needs(
        memory=number("memsize") / 1024,
        cpus=number("numvcpus", 1),  # the one of a VM with one processor is not written
        mhz=float(number("sched.cpu.min")),
        hardware=number("virtualhw.version"),
    )


def _disk_volumes(settings: Mapping[str, str], vmx: File, volume: Callable[[str], str | None]) -> Iterator[str]:
    for key, value in settings.items():
        slot, dot, field = key.rpartition(".")
        if not dot or field != "filename" or not _DISK.match(slot) or not value.lower().endswith(".vmdk"):
            continue
        if _false(settings.get(f"{slot}.present", "TRUE")):
            continue
        where, _ = beside(vmx, value)
        yield where if where == vmx.volume else volume(where) or f"vmfs:{where}"


def _cards(settings: Mapping[str, str]) -> Iterator[Nic]:
    for number in range(10):
        card = f"ethernet{number}"
        if _false(settings.get(f"{card}.present", "FALSE")):
            continue
        yield Nic(
            key=_FIRST_CARD + number,
            label=f"Network adapter {number + 1}",
            mac=(settings.get(f"{card}.address") or settings.get(f"{card}.generatedaddress", "")).lower(),
            network=settings.get(f"{card}.networkname", ""),
            connected=not _false(settings.get(f"{card}.startconnected", "TRUE")),
        )


def _false(value: str) -> bool:
    return value.strip().lower() in ("false", "0", "no", "n", "off", "f")
