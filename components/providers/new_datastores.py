"""NewDatastores: what must hold before and after the new datastores are made. Its path is in users' states: it stays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pulumi
from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from components.providers import access, mounting, runtime, verdict
from components.providers.accounted import accounted
from migration import new_datastores
from migration.errors import Blocked
from migration.model import Concern, Severity
from migration.new_datastores import SUBJECT, Coming, Forecast, Store
from vsphere import new_disks, site_storage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pulumi.dynamic import ConfigureRequest

    from migration.new_datastores import Disk

NOT_JOINED: Final = (
    "the disks of the new datastores are looked at once the hosts have joined, before anything is formatted"
)


class NewDatastoresProvider(ResourceProvider):
    """Shows that the disks of VMFS datastores which are still to be made hold nothing; foretells what lands on them all."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Remember the stack's configuration; no site is contacted yet."""
        access.configure(req)

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """In a preview, say what lands where, and what stands against it."""
        expected = int(news.pop("preview", 0))
        if expected:
            call = runtime.current_call()
            site, missing = access.site("target"), _missing(news)
            disks = new_disks.look(site, mounting.usable(site, news["hosts"]), missing)
            if missing and not disks:
                call.say(NOT_JOINED)
            found = _foretold(news, disks)
            if any(row.lands for row in found.rows) or found.open or found.homeless:
                call.say(str(found))
            concerns = [_before_a_rescan(concern) for disk in disks for concern in disk.concerns()]
            verdict.show(call, SUBJECT, [*concerns, *found.concerns()], expected)
        return CheckResult(news, [])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Whatever is still to be made is looked at again: what was blank once may not be blank now."""
        return DiffResult(changes=bool(_missing(news)) or olds.get("datastores") != news["datastores"])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Look at the disks."""
        return CreateResult(SUBJECT, _settled(SUBJECT, props, {}))

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Look at the disks of what is still to be made; also what follows a failed create."""
        return UpdateResult(_settled(id_, news, olds))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return what was shown; `diff` looks at the target itself."""
        return ReadResult(id_, props)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Nothing: it has made nothing."""


class NewDatastores(Resource, module="esxodus", name="NewDatastores"):
    """The disks of the new datastores, and the room on them. A datastore that is to be made depends on it."""

    audit: pulumi.Output[list[dict[str, str]]]

    def __init__(
        self,
        name: str,
        datastores: Sequence[Mapping[str, str]],
        hosts: Sequence[str],
        *,
        joined: Sequence[pulumi.Input[str]],
        preview: int,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare that the disks are looked at once all hosts have joined, `joined` being their ids. `preview`: as for a VM.

        Each datastore is a mapping with `name`, `kind` and, of VMFS, `disk`.
        """
        inputs = {"datastores": list(datastores), "hosts": list(hosts), "joined": list(joined), "preview": preview}
        super().__init__(NewDatastoresProvider(), name, {"audit": None, **inputs}, opts)


def _settled(id_: str, inputs: dict[str, Any], olds: dict[str, Any]) -> dict[str, Any]:
    """Show that no disk of a datastore that is still to be made holds anything.

    Raises: Blocked, naming every disk; MigrationError.
    """
    with accounted(id_, inputs, olds) as outputs:
        site, missing = access.site("target"), _missing(inputs)
        hosts = mounting.usable(site, inputs["hosts"])
        if missing:
            # A volume that a host has not looked for yet must not be taken for a blank disk.
            runtime.current_call().progress(f"rescanning {', '.join(hosts)}", None)
            mounting.rescan(site, hosts)
        disks = new_disks.look(site, hosts, missing)
        if concerns := [concern for disk in disks for concern in disk.concerns()]:
            raise Blocked(concerns)
    return outputs


def _before_a_rescan(concern: Concern) -> Concern:
    """A disk that a host does not see yet may be there once it has rescanned."""
    return replace(concern, severity=Severity.WARNS) if concern.id == new_datastores.NOT_SEEN.id else concern


def _missing(inputs: Mapping[str, Any]) -> dict[str, str]:
    """Return the disks, by datastore, of those VMFS datastores that the target does not have."""
    disks = {str(one["name"]): str(one["disk"]) for one in inputs["datastores"] if one["kind"] == "vmfs"}
    there = site_storage.old_volumes(access.site("target"), list(disks))
    return {name: disk for name, disk in disks.items() if there[name] is None}


def _foretold(inputs: Mapping[str, Any], disks: Sequence[Disk]) -> Forecast:
    """Say what the waves bring to the datastores, as they are or as their disks say that they will be."""
    view = access.site("target").inventory().view
    there = {volume.name: Store(volume.name, volume.capacity, volume.free) for volume in view.volumes}
    blank = {disk.name: Store(disk.name, disk.capacity, disk.capacity) for disk in disks if not disk.holds}
    names = [str(one["name"]) for one in inputs["datastores"]]
    return new_datastores.forecast(
        [there.get(name) or blank.get(name) or Store(name) for name in names], list(_comings())
    )


def _comings() -> Iterator[Coming]:
    sites = access.sites()
    for _, spec in access.read().specs():
        seen, _ = sites.observe(spec.identity, look_adrift=False)
        if found := new_datastores.coming(spec, seen):
            yield found
