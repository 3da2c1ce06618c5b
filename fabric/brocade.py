"""A Brocade switch by Fabric OS' REST interface: reads the zoning, and changes it in one transaction.

What it is built on is listed in docs/fabric.md (F1 to F4). A change is made so that nothing but what is meant can come into
effect: it is refused where anybody else has a transaction open; zones are added to the configuration by name, not by replacing
it; what the transaction would save is read back and compared before it is enabled; and the checksum of what was read goes with
that call.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import re
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

from fabric.against import Against
from fabric.zoning import PEER, STANDARD, Change, Defined, Zone, Zoning
from migration.errors import Blocked, MigrationError, Paused, Refused, SessionLost, Transient, Unexpected, Unreachable
from vsphere import audit, tls
from vsphere.tls import Endpoint

MEDIA: Final = "application/yang-data+json"
ZONING: Final = "/rest/running/brocade-zone"
"""The full form: Fabric OS 9.1 and later refuse the short one, /zoning (F3)."""
NAME_SERVER: Final = "/rest/running/brocade-name-server/fibrechannel-name-server"
SWITCH: Final = "/rest/running/brocade-fibrechannel-switch/fibrechannel-switch"
OLDEST: Final = (8, 2, 1, "b")
"""The first Fabric OS that has the full form of the path (F1)."""
NO_CONFIGURATION: Final = "d__efault__Cfg"
"""What Fabric OS calls it that no configuration is in effect and nobody sees anybody (F1)."""
BUSY_FOR: Final = 90.0
"""Seconds for which a switch that wants to be left alone, or has no session free, is tried again."""
IDLE: Final = 4.0
"""Seconds between two tries: by default a switch that had 30 requests in 30 s wants none for 3 s (F4)."""
AT_IT: Final = 30.0
"""Seconds for which a switch may be at enabling a configuration whose answer was lost."""
PATIENCE: Final = 60.0
"""Seconds without a byte after which a call counts as lost."""
_ABORT: Final = 4
"""`cfg-action` that drops the transaction (F1)."""


class Switch:
    """One session with the principal switch of a fabric, a context manager.

    Leaving it logs out: by default a switch has three sessions only (F4).
    """

    def __init__(self, fabric: str, endpoint: Endpoint, stop: threading.Event, vfid: int = 0) -> None:
        """Remember where to log in. `vfid` is the number of the logical fabric, 0 where there are none."""
        self.fabric = fabric
        self.endpoint = endpoint
        self._stop = stop
        self._vfid = vfid
        self._peer = tls.connection(endpoint, PATIENCE)
        self._token = ""

    def __enter__(self) -> Self:
        """Verify the certificate and log in.

        Raises: Refused, Unreachable, Paused.
        """
        try:
            self._login()
        except MigrationError:
            self._peer.close()
            raise
        return self

    def _login(self) -> None:
        pair = base64.b64encode(f"{self.endpoint.username}:{self.endpoint.password}".encode()).decode()
        status, headers, body = self._patiently("POST", "/rest/login", f"Basic {pair}", None)
        self._token = headers.get("Authorization") or ""
        if status == http.HTTPStatus.UNAUTHORIZED:
            raise Refused(f"{self.endpoint}: it does not let {self.endpoint.username!r} in: {_reason(body)}")
        if status != http.HTTPStatus.OK or not self._token:
            raise Unexpected(f"{self.endpoint}: the login was answered with {status}: {_reason(body)}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Log out. Whether that succeeds changes nothing; a transaction that was left open would be dropped by it."""
        with contextlib.suppress(MigrationError):
            self._patiently("POST", "/rest/logout", self._token, None)
        self._peer.close()

    def zoning(self) -> Zoning:
        """Return what is zoned, and which ports are logged in. Four reads; changes nothing.

        Raises: Refused where its Fabric OS is too old; MigrationError.
        """
        about = _one(self._get(SWITCH, "fibrechannel-switch"))
        firmware = str(about.get("firmware-version", ""))
        if _version(firmware) < OLDEST:
            oldest = f"{'.'.join(map(str, OLDEST[:3]))}{OLDEST[3]}"
            raise Refused(
                f"{self.endpoint}: it runs Fabric OS {firmware or '(unknown)'}, whose REST interface does not zone; "
                f"{oldest} does"
            )
        ports = frozenset(
            str(one["port-name"]).lower() for one in _listed(self._get(NAME_SERVER, "fibrechannel-name-server"))
        )
        return self._zoning(ports)

    def _zoning(self, ports: frozenset[str]) -> Zoning:
        effective = self._effective()
        name = str(effective.get("cfg-name") or "").removeprefix(NO_CONFIGURATION)
        return Zoning(
            fabric=self.fabric,
            configuration=name,
            effective={zone.name: zone for zone in _zones(effective.get("enabled-zone"))},
            defined=self.defined(),
            checksum=str(effective["checksum"]),
            transaction=int(effective.get("transaction-token") or 0),
            ports=ports,
        )

    def defined(self) -> Defined:
        """Return what is defined; while this session has a transaction open, as that would save it (F1).

        Raises: MigrationError.
        """
        told = _one(self._get(f"{ZONING}/defined-configuration", "defined-configuration"))
        return Defined(
            zones={zone.name: zone for zone in _zones(told.get("zone"))},
            aliases={
                str(one["alias-name"]): _ports(_names(one.get("member-entry"), "alias-entry-name"))
                for one in _listed(told.get("alias"))
            },
            configurations={
                str(one["cfg-name"]): _names(one.get("member-zone"), "zone-name") for one in _listed(told.get("cfg"))
            },
        )

    def apply(self, before: Zoning, change: Change) -> Zoning:
        """Make the change to the zoning as it was read, put it into effect, and return the zoning after it.

        All of it or nothing: where anything is not as it should be, the transaction is dropped.

        Raises: Blocked where somebody has changed the zoning meanwhile, or has a transaction open; Unexpected where what would
            be saved, or what is in effect afterwards, is not what was meant; MigrationError.
        """
        self._as_read(before)
        begun = enabling = False
        try:
            with self._meanwhile(before):
                for method, path, body in _calls(before, change):
                    self._write(method, path, body)
                    begun = True
            self._same(before, change)
            enabling = True
            with self._meanwhile(before), self._peer.unhurried():
                enable = f"{ZONING}/effective-configuration/cfg-name/{quote(before.configuration)}"
                self._write("PATCH", enable, {"checksum": before.checksum})
        except Unreachable:
            # The session does not hang on the connection: it can tell whether the change was made.
            return self._after(before, change, AT_IT if enabling else 0.0)
        except MigrationError:
            if begun:  # else a transaction that is open is somebody else's
                self._abort(before)
            raise
        return self._verified(before, change)

    def _as_read(self, before: Zoning) -> None:
        """See that nobody has changed anything, or begun to, since it was read: an idle connection may also have ended.

        Raises: Blocked.
        """
        now = self._effective()
        self._unchanged(before, "nothing of ours was begun", now)
        if token := int(now.get("transaction-token") or 0):
            sentence = f"somebody has opened a zoning transaction on the switch just now (token {token})"
            raise Blocked([Against.TRANSACTION.concern(self.fabric, sentence)])

    def _after(self, before: Zoning, change: Change, patience: float) -> Zoning:
        """Find out what a call has done whose answer was lost; a switch may be at it for some seconds still.

        Raises: Transient where nothing of it is in effect by then.
        """
        until = time.monotonic() + patience
        while str((now := self._effective())["checksum"]) == before.checksum:
            if not int(now.get("transaction-token") or 0) or time.monotonic() >= until:
                self._abort(before)
                raise Transient(
                    f"{self.fabric}: the connection to its switch was lost, and nothing of ours is in effect; "
                    "run again: what is there then is read anew"
                )
            time.sleep(1)
        return self._verified(before, change)

    def _verified(self, before: Zoning, change: Change) -> Zoning:
        after = self._zoning(before.ports)
        expected = change.effective(before)
        wrong = sorted(
            name
            for name in {*after.effective, *expected}
            if name not in after.effective or name not in expected or not after.effective[name].same(expected[name])
        )
        if wrong or after.configuration != before.configuration:
            raise Unexpected(
                f"{self.fabric}: configuration {after.configuration or '(none)'} is in effect, and differs from what was meant "
                f"in {', '.join(wrong) or 'its name'}. Nothing more is done; compare with the outputs `before` of the last run"
            )
        return after

    def _same(self, before: Zoning, change: Change) -> None:
        """See that the transaction would save what is meant, and nothing else.

        Raises: Blocked where somebody has saved something meanwhile; Unexpected.
        """
        wrong = _differences(self.defined(), change.defined(before))
        if not wrong:
            return
        self._unchanged(before, f"it would also change {', '.join(wrong)}", self._effective())
        raise Unexpected(
            f"{self.fabric}: the transaction would also change {', '.join(wrong)}: it is dropped, nothing is saved"
        )

    def _unchanged(self, before: Zoning, problem: str, now: Mapping[str, Any]) -> None:
        """Raise Blocked where the zoning that is saved is not what was read: that is what the problem comes from."""
        if str(now["checksum"]) != before.checksum:
            sentence = f"the zoning has another checksum now than when it was read ({problem})"
            raise Blocked([Against.MEANWHILE.concern(self.fabric, sentence)])

    @contextlib.contextmanager
    def _meanwhile(self, before: Zoning) -> Iterator[None]:
        """Turn a refusal into what it means where the zoning is not as it was read, or somebody has begun to change it.

        Raises: Blocked, MigrationError.
        """
        try:
            yield
        except Refused as error:
            self._unchanged(before, str(error), self._effective())
            if "transaction" in str(error).lower():
                raise Blocked([Against.TRANSACTION.concern(self.fabric, f"the switch says: {error}")]) from error
            raise

    def _abort(self, before: Zoning) -> None:
        """Drop our transaction, where this session has one: only then does it see what is defined as it is not saved."""
        with contextlib.suppress(MigrationError):  # logging out drops it too
            if not _differences(self.defined(), before.defined):
                return
            self._write("PATCH", f"{ZONING}/effective-configuration/cfg-action/{_ABORT}", None)

    def _effective(self) -> Mapping[str, Any]:
        told = _one(self._get(f"{ZONING}/effective-configuration", "effective-configuration"))
        if not told.get("checksum"):
            raise Unexpected(
                f"{self.endpoint}: it tells no checksum of its zoning, without which nothing is safe to do"
            )
        return told

    def _get(self, path: str, key: str) -> Any:
        try:
            status, _, body = self._patiently("GET", path, self._token, None)
        except Unreachable:  # a read may be repeated; the connection is opened anew
            status, _, body = self._patiently("GET", path, self._token, None)
        if status == http.HTTPStatus.NOT_FOUND and path == NAME_SERVER:
            return None  # Fabric OS answers an empty list so
        self._accept(f"reading {key}", status, body)
        try:
            return json.loads(body)["Response"][key]
        except (ValueError, LookupError, TypeError) as error:
            raise Unexpected(f"{self.endpoint}: what it answers is not the {key} of Fabric OS") from error

    def _write(self, method: str, path: str, body: Mapping[str, Any] | None) -> None:
        what = path.removeprefix(f"{ZONING}/")
        with audit.writing(self.fabric, f"{method} {what.rpartition('/')[0]}", what.rpartition("/")[2]):
            status, _, answer = self._patiently(method, path, self._token, body)
            self._accept(f"{method} {what}", status, answer)

    def _accept(self, doing: str, status: int, body: bytes) -> None:
        if status == http.HTTPStatus.UNAUTHORIZED:
            raise SessionLost(f"{self.endpoint}: the session has ended")
        if not http.HTTPStatus.OK <= status < http.HTTPStatus.MULTIPLE_CHOICES:
            raise Refused(f"{self.endpoint}: {doing}: {_reason(body)}")

    def _patiently(
        self, method: str, path: str, credentials: str, body: Mapping[str, Any] | None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Ask, and again where the switch wants to be left alone for a while: it has done nothing then (F4)."""
        until = time.monotonic() + BUSY_FOR
        while True:
            status, headers, answer = self._ask(method, path, credentials, body)
            if status != http.HTTPStatus.SERVICE_UNAVAILABLE:
                return status, headers, answer
            if time.monotonic() > until:
                raise Unreachable(
                    f"{self.endpoint}: it answers that it is busy for {BUSY_FOR:.0f} s now ({_reason(answer)}); "
                    "`mgmtapp --show` on the switch tells its REST sessions and limits"
                )
            if self._stop.wait(IDLE):
                raise Paused(f"{self.fabric}: paused while its switch was busy; run again to go on")

    def _ask(
        self, method: str, path: str, credentials: str, body: Mapping[str, Any] | None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        headers = {"Accept": MEDIA, "Authorization": credentials}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = MEDIA
        query = f"?vf-id={self._vfid}" if self._vfid and path.startswith("/rest/running") else ""
        try:
            self._peer.request(method, path + query, data, headers)
            answer = self._peer.getresponse()
            return answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._peer.close()
            raise tls.unreachable(self.endpoint, error) from error


def _calls(before: Zoning, change: Change) -> Iterator[tuple[str, str, Mapping[str, Any] | None]]:
    """Yield the calls of a change: ours leave the configuration before they are deleted, and are added once they are made."""
    defined = f"{ZONING}/defined-configuration"
    configuration = f"{defined}/cfg/cfg-name/{quote(before.configuration)}"
    members = before.defined.configurations.get(before.configuration, ())
    rest = [name for name in members if name not in (*change.leave, *change.remove)]
    if len(rest) < len(members):
        yield "PATCH", configuration, {"member-zone": {"zone-name": rest}}
    for name in change.remove:
        yield "DELETE", f"{defined}/zone/zone-name/{quote(name)}", None
    for zone in (*change.add, *change.extend):  # of a zone that is there, a POST adds members (F5)
        entries = {"entry-name": list(zone.members), "principal-entry-name": list(zone.principals)}
        body: dict[str, Any] = {"member-entry": {key: ports for key, ports in entries.items() if ports}}
        if zone.type == PEER:
            body["zone-type"] = zone.type
        yield "POST", f"{defined}/zone/zone-name/{quote(zone.name)}", body
    if joining := [*change.join, *(zone.name for zone in change.add)]:
        yield "POST", configuration, {"member-zone": {"zone-name": joining}}


def _differences(one: Defined, other: Defined) -> list[str]:
    """Return what differs between two states of what is defined, in words."""
    return [
        *(f"zone {name}" for name in _differing(one.zones, other.zones, Zone.same)),
        *(f"alias {name}" for name in _differing(one.aliases, other.aliases, lambda a, b: a == b)),
        *(
            f"configuration {name}"
            for name in _differing(one.configurations, other.configurations, lambda a, b: sorted(a) == sorted(b))
        ),
    ]


def _differing(one: Mapping[str, Any], other: Mapping[str, Any], same: Any) -> list[str]:
    names: Collection[str] = {*one, *other}
    return sorted(name for name in names if name not in one or name not in other or not same(one[name], other[name]))


def _listed(told: Any) -> list[Any]:
    """Return a list that a switch leaves out where it is empty, and does not make where there is one entry."""
    if told is None:
        return []
    return told if isinstance(told, list) else [told]


def _one(told: Any) -> Mapping[str, Any]:
    found = _listed(told)
    return found[0] if found else {}


def _names(entry: Any, key: str) -> tuple[str, ...]:
    return tuple(str(name) for name in _listed((entry or {}).get(key)))


def _zones(told: Any) -> Iterator[Zone]:
    for one in _listed(told):
        entry = one.get("member-entry")
        members, principals = (_ports(_names(entry, key)) for key in ("entry-name", "principal-entry-name"))
        # Its type stands in one of two fields, by the version (F1); who has principals is a peer zone.
        yield Zone(str(one["zone-name"]), members, principals, PEER if principals else STANDARD)


def _ports(members: tuple[str, ...]) -> tuple[str, ...]:
    """Return world wide names in lower case, as we write them; what is none stays."""
    return tuple(member.lower() if member.count(":") == 7 else member for member in members)


def _version(firmware: str) -> tuple[int, int, int, str]:
    """Return (9, 1, 1, "c") of "v9.1.1c", or of "v9.1.1c1"; zeros where it is none."""
    found = re.match(r"[vV]?(\d+)\.(\d+)\.(\d+)([a-z]?)", firmware)
    return (int(found[1]), int(found[2]), int(found[3]), found[4]) if found else (0, 0, 0, "")


def _reason(body: bytes) -> str:
    """Return what the switch says, of an answer in its form or in any other."""
    try:
        errors = _listed(json.loads(body)["errors"]["error"])
        return "; ".join(str(error["error-message"]) for error in errors)
    except (ValueError, LookupError, TypeError):
        return body.decode(errors="replace").strip()[:200] or "no reason given"
