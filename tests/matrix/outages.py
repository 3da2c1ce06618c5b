"""What can happen at a site while a VM is on its way: vCenters restart, hosts die, paths are lost, volumes fill, people act.

Each begins just before a call of ours, or while that call is under way. What it rightly changes of the outcome is said with it,
key by key; everything else must be as after an undisturbed run.
"""

from __future__ import annotations

import re
import threading
import time
import urllib.error
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from tools.running_lab import Lab

Call = tuple[str, str, str]
"""Site, method and object of a call that changes something."""

Vms = list[dict[str, Any]]
Excuse = Callable[[str, Any, Any], bool]
"""Says whether a key of a VM may have the second value where an undisturbed run leaves the first."""

OTHER: Final = {"source": "target", "target": "source"}
A_HOST: Final = {"source": "esx60-1.lab", "target": "esx70-1.lab"}
TEMPLATE: Final = "tmpl01"
RENAMED: Final = "-renamed"
NOTE: Final = "looked at by a person"
BLINK, WHILE, LONG = 0.1, 1.0, 3.0
"""Seconds of the lab. Its scenario makes ten minutes a second: all paths down end in a failure after a quarter of a second."""


class CannotHappen(BaseException):
    """vCenter refuses it to a person, or the thing is not there: no case."""


@dataclass(frozen=True)
class Moment:
    """Where it happens."""

    lab: Lab
    call: Call
    name: str
    registered: Vms

    @property
    def vm(self) -> dict[str, Any]:
        """The VM, {} where it is registered nowhere."""
        return self.registered[0] if self.registered else {}

    @property
    def has_papers(self) -> bool:
        """Whether the VM says where it belongs."""
        return bool(self._papers)

    @property
    def in_transit(self) -> bool:
        """Whether the VM's papers say that it is on its way: then they hold how it is to arrive."""
        return not self.registered or '"transit":true' in self._papers

    @property
    def leaving(self) -> str:
        """The site that the papers say it leaves."""
        return "".join(re.findall(r'"leaving":"(\w+)"', self._papers))

    @property
    def _papers(self) -> str:
        return str(self.vm.get("extraConfig", {}).get("esxodus.papers", ""))

    def host(self, site: str) -> str:
        """Return the VM's host, or one of the site's where it is not there."""
        return str(self.vm["host"]) if self.vm.get("site") == site else A_HOST[site]


@dataclass(frozen=True)
class Outage:
    """Something that begins, and lasts so many seconds, or until the first run has ended (LONG seconds at most)."""

    begin: Callable[[Moment], None]
    end: Callable[[Moment], None] = lambda _: None
    lasts: float | None = 0.0
    excuse: Callable[[Moment], Excuse] = lambda _: nothing

    def happen(self, moment: Moment) -> Callable[[], None]:
        """Let it begin; return what makes sure that it has ended. Raises: CannotHappen."""
        self.begin(moment)
        over = threading.Event()

        def last() -> None:
            over.wait(LONG if self.lasts is None else self.lasts)
            self.end(moment)

        thread = threading.Thread(target=last)
        thread.start()

        def ended() -> None:
            if self.lasts is None:
                over.set()
            thread.join()

        return ended


def nothing(key: str, wanted: Any, got: Any) -> bool:
    """Excuse nothing."""
    del key, wanted, got
    return False


def _vcenters(act: str, body: Mapping[str, Any] | None, which: Callable[[str], list[str]]) -> Callable[[Moment], None]:
    def do(moment: Moment) -> None:
        for site in which(moment.call[0]):
            moment.lab.post(f"/vcenters/{site}/{act}", body)

    return do


def _down(which: Callable[[str], list[str]]) -> Outage:
    return Outage(_vcenters("down", None, which), _vcenters("up", None, which), WHILE)


def _restart(which: Callable[[str], list[str]]) -> Outage:
    return Outage(_vcenters("restart", {"seconds": WHILE}, which), lambda _: None, WHILE)


def _this(site: str) -> list[str]:
    return [site]


def _other(site: str) -> list[str]:
    return [OTHER[site]]


def _both(site: str) -> list[str]:
    return [site, OTHER[site]]


def _expire(moment: Moment) -> None:
    for site in OTHER:
        moment.lab.post("/faults", {"vcenter": site, "method": "*", "action": "expire", "count": 1})


def _host(site: str, lasts: float | None) -> Outage:
    def down(moment: Moment) -> None:
        moment.lab.post(f"/hosts/{moment.host(site)}/down")

    def up(moment: Moment) -> None:
        moment.lab.post(f"/hosts/{moment.host(site)}/up")

    def excuse(moment: Moment) -> Excuse:
        # Its host took the guest down with it, before the papers said that it ran, or after they had done their duty. Then
        # nobody but HA may start it: what is off may be off for a reason.
        fell = moment.vm.get("site") == site and not moment.in_transit
        return lambda key, wanted, got: (
            (fell and key == "power" and got == "poweredOff") or but_for("host", key, wanted, got)
        )

    return Outage(down, up, lasts, excuse)


def _paths(volume: str, lasts: float) -> Outage:
    return Outage(
        lambda moment: moment.lab.post(f"/volumes/{volume}/apd", {"hosts": "all"}),
        lambda moment: moment.lab.post(f"/volumes/{volume}/ok", {"hosts": "all"}),
        lasts,
    )


def _full(volume: str, size: float) -> Outage:
    return Outage(
        lambda moment: moment.lab.post(f"/volumes/{volume}/fill", {"freeGiB": 0.5}),
        lambda moment: moment.lab.post(f"/volumes/{volume}/fill", {"freeGiB": size}),
        None,
    )


def _person(
    act: str,
    body: Mapping[str, Any],
    excuse: Callable[[Moment], Excuse] = lambda _: nothing,
    undo: Callable[[Moment], None] = lambda _: None,
    lasts: float | None = 0.0,
) -> Outage:
    def do(moment: Moment) -> None:
        vm = moment.vm
        if not vm or (act == "unregister" and (vm["template"] or not moment.has_papers)):
            raise CannotHappen  # a .vmtx that is taken out is not found again; what has no papers stops: vm.unregistered
        refused = threading.Event()

        def ask() -> None:
            try:
                filled = {key: value.format(name=moment.name) for key, value in body.items()}
                moment.lab.post(f"/vms/{moment.name}/{act}", {"site": vm["site"], **filled})
            except urllib.error.HTTPError:
                refused.set()

        thread = threading.Thread(target=ask, daemon=True)  # a power-on may wait for an answer
        thread.start()
        thread.join(0.5)
        if refused.is_set():
            raise CannotHappen

    return Outage(do, undo, lasts, excuse)


def _name_back(moment: Moment) -> None:
    for site in OTHER:
        try:
            moment.lab.post(f"/vms/{moment.name}{RENAMED}/rename", {"site": site, "to": moment.name})
        except urllib.error.HTTPError:
            continue


def _as_told(moment: Moment) -> None:
    # What runs cannot become a template: the run has said so, and to shut it down.
    if moment.name == TEMPLATE:
        for site in OTHER:
            with suppress(urllib.error.HTTPError):
                moment.lab.post(f"/vms/{moment.name}/poweroff", {"site": site})


def _plug(moment: Moment) -> Excuse:
    # It stays off that was at home, or had arrived and run; what is off in between comes up.
    came_up = moment.vm["power"] == "poweredOn" and moment.vm["site"] != moment.leaving
    stays = came_up or not moment.in_transit
    return lambda key, wanted, got: stays and key == "power" and got == "poweredOff"


def _named(moment: Moment) -> Excuse:
    del moment
    return lambda key, wanted, got: (
        key in ("name", "vmx", "disks", "extraConfig") and re.sub(re.escape(RENAMED), "", repr(got)) == repr(wanted)
    )


def _moved(moment: Moment) -> Excuse:
    del moment
    return lambda key, wanted, got: (key == "folder" and got == "") or but_for("folder", key, wanted, got)


def _leaves_again(moment: Moment) -> Excuse:
    # It is registered again as one that comes from there.
    del moment
    return lambda key, wanted, got: but_for("leaving", key, wanted, got)


def but_for(fact: str, key: str, wanted: Any, got: Any) -> bool:
    """Say whether the papers differ in this fact alone."""
    fact_in_papers = rf'\\?"{fact}\\?":\\?"[^"\\]*\\?"'
    return key == "extraConfig" and re.sub(fact_in_papers, "", repr(got)) == re.sub(fact_in_papers, "", repr(wanted))


def _snapshots(theirs: list[str]) -> Callable[[Moment], Excuse]:
    def excuse(moment: Moment) -> Excuse:
        had = [*moment.vm["snapshots"], *theirs] if theirs else []

        def explained(key: str, wanted: Any, got: Any) -> bool:
            if key == "snapshots":
                return bool(got == had)
            return key == "disks" and _no_deltas(got) == _no_deltas(wanted)

        return explained

    return excuse


def _no_deltas(disks: Any) -> str:
    return re.sub(r"-0000\d\d\.vmdk", ".vmdk", repr(disks))


OUTAGES: Final[Mapping[str, Outage]] = {
    "this vCenter down for 1 s": _down(_this),
    "the other vCenter down for 1 s": _down(_other),
    "both vCenters down for 1 s": _down(_both),
    "this vCenter restarts": _restart(_this),
    "the other vCenter restarts": _restart(_other),
    "both vCenters restart": _restart(_both),
    "all sessions end": Outage(_expire),
    "a host of the source dies and boots": _host("source", WHILE),
    "a host of the target dies and boots": _host("target", WHILE),
    "a host of the source is dead": _host("source", None),
    "a host of the target is dead": _host("target", None),
    "no path to the old volume, briefly": _paths("old-a", BLINK),
    "no path to the old volume for long": _paths("old-a", WHILE),
    "no path to the new volume, briefly": _paths("gold7-01", BLINK),
    "no path to the new volume for long": _paths("gold7-01", WHILE),
    "the new volume is full": _full("gold7-01", 1900),
    "the old volume is full": _full("old-a", 900),
}
"""These begin before each call, and while each task and each shutdown is under way."""

PEOPLE: Final[Mapping[str, Outage]] = {
    "a person powers it on": _person("poweron", {}, undo=_as_told, lasts=None),
    "a person powers it off": _person("poweroff", {}, _plug),
    "a person renames it, and back later": _person("rename", {"to": "{name}" + RENAMED}, _named, _name_back, None),
    "a person moves it to another folder": _person("move", {"folder": ""}, _moved),
    "a person deletes its snapshots": _person("removeSnapshots", {}, _snapshots([])),
    "a person makes a snapshot": _person("snapshot", {"name": "theirs"}, _snapshots(["theirs"])),
    "a person writes a note": _person(
        "note", {"text": NOTE}, lambda _: lambda key, wanted, got: key == "notes" and got == NOTE
    ),
    "a person unregisters it": _person("unregister", {}, _leaves_again),
}
"""These happen before each call."""


def during(act: Callable[[], None], seconds: float) -> threading.Thread:
    """Do it in so many seconds from now."""

    def later() -> None:
        time.sleep(seconds)
        act()

    thread = threading.Thread(target=later)
    thread.start()
    return thread
