"""OldDatastores: the old array's datastores on every new host. The path of this module is in users' states: it stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi.dynamic import (
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from components.providers import access, mounting, runtime, verdict
from components.providers.accounted import accounted
from migration.errors import Blocked, MigrationError, Stale
from migration.model import Concern, Severity
from vsphere import host_storage, site_storage
from vsphere.host_storage import HostStorage
from vsphere.site_storage import OldVolume

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pulumi
    from pulumi.dynamic import ConfigureRequest


class OldDatastoresProvider(ResourceProvider):
    """Has every new host look for the old LUNs, and shows that each mounts each old datastore as it is."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Remember the stack's configuration; no site is contacted yet."""
        access.configure(req)

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """In a preview, look whether the source has these datastores and the new hosts can use them."""
        expected = int(news.pop("preview", 0))
        news["kept"] = _kept(news, olds, strict=bool(expected))
        if expected:
            call = runtime.current_call()
            volumes, concerns = _found(news)
            if back := _coming_back(olds, volumes):
                call.say(f"{', '.join(sorted(back))}: attached and mounted again, on the hosts of both sites")
            verdict.show(call, "the old datastores", [*concerns, *mounting.foreseen(news, volumes)], expected)
        return CheckResult(news, [])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare with what the hosts have mounted, so that a drift heals without a refresh."""
        try:
            there = mounting.settled(_volumes(news), news, olds)
        except (Blocked, Stale):  # a datastore or a host is not there: the update says so
            return DiffResult(changes=True)
        unknown = set(news["kept"]) - set(olds.get("volumes") or ())
        elsewhere = set(olds.get("retired") or ()) != set(news["retired"]) or bool(olds.get("comingBack"))
        return DiffResult(changes=bool(unknown) or elsewhere or not there)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Mount the datastores where they are not."""
        return CreateResult("old datastores", _settled("old datastores", props, {}))

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Mount the datastores where they are not; also what follows a failed create."""
        return UpdateResult(_settled(id_, news, olds))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return what was shown; `diff` looks at the hosts themselves."""
        return ReadResult(id_, props)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Forget the datastores; they stay mounted."""
        runtime.current_call().say("the old datastores are left mounted on the new hosts")


class OldDatastores(Resource, module="esxodus", name="OldDatastores"):
    """The old datastores on the new hosts."""

    volumes: pulumi.Output[dict[str, Any]]
    audit: pulumi.Output[list[dict[str, str]]]

    def __init__(
        self,
        name: str,
        datastores: Sequence[str],
        hosts: Sequence[str],
        preview: int,
        retired: Sequence[str] = (),
        reach: pulumi.Input[Mapping[str, Any]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare that each host mounts each datastore. `preview`: as for a VM.

        `retired` are those that are out of service, or about to be: nothing is done with them here, but what they are is kept
        in `volumes`. One that is among `datastores` again is attached and mounted at both sites, as it was. `reach`:
        as FabricZones has it; where it is empty, each host should have as many paths as the host with the most.
        """
        inputs = {
            "datastores": list(datastores),
            "retired": list(retired),
            "hosts": list(hosts),
            "reach": reach or {},
            "preview": preview,
        }
        outputs = {"volumes": None, "comingBack": None, "lacking": None, "unfound": None, "audit": None}
        super().__init__(OldDatastoresProvider(), name, {**outputs, **inputs}, opts)


def _settled(id_: str, inputs: dict[str, Any], olds: dict[str, Any]) -> dict[str, Any]:
    """Mount the datastores and return the outputs.

    Raises: MigrationError.
    """
    with accounted(id_, inputs, olds) as outputs:
        volumes = _volumes(inputs)
        back = _coming_back(olds, volumes)
        outputs["comingBack"] = sorted(back)
        for volume in volumes:
            if volume.name in back:
                _bring_back(volume, inputs["kept"].get(volume.name, {}).get("source"))
        outputs["lacking"], outputs["unfound"] = mounting.mount(inputs, volumes)
        outputs["volumes"] = {name: one["volume"] for name, one in inputs["kept"].items()}
        outputs["comingBack"] = []
    return outputs


def _coming_back(olds: Mapping[str, Any], volumes: Sequence[OldVolume]) -> set[str]:
    """Return the names of those that were retired: as our record has it, or because none of the old hosts has one mounted."""
    hosts = [one for one in host_storage.host_storage(access.site("source")).values() if one.connected]
    recorded = {*(olds.get("retired") or ()), *(olds.get("comingBack") or ())}
    gone = {volume.name for volume in volumes if hosts and not any(_mounted(one, volume) for one in hosts)}
    return {volume.name for volume in volumes if volume.name in recorded | gone}


def _mounted(host: HostStorage, volume: OldVolume) -> bool:
    return volume.id in host.volumes and host.volumes[volume.id].mounted


def _bring_back(volume: OldVolume, hosts: Collection[str] | None) -> None:
    """Attach and mount it on the old hosts that had it; on all that see its disk, where that is not known.

    Raises: MigrationError.
    """
    site = access.site("source")
    for one in host_storage.host_storage(site).values():
        sees = all(disk in one.disks for disk in volume.devices)
        if one.connected and sees and not _mounted(one, volume) and (hosts is None or one.host in hosts):
            runtime.current_call().progress(f"mounting {volume.name} on {one.host}", None)
            site_storage.mount(site, one.host, volume)


def _kept(news: Mapping[str, Any], olds: Mapping[str, Any], *, strict: bool) -> dict[str, Any]:
    """Return what each datastore is, and which old hosts have had it: once it is retired no vCenter can tell any more.

    It is kept among the inputs, because only those are at hand in a preview.
    """
    names = [*news["datastores"], *news["retired"]]
    kept = {name: one for name, one in (olds.get("kept") or {}).items() if name in names}
    try:
        site = access.site("source")
        shown = [volume for volume in site_storage.old_volumes(site, names).values() if volume]
        hosts = host_storage.host_storage(site).values()
    except MigrationError:
        if strict:
            raise
        return kept  # whoever needs the source next will say what is wrong with it
    for volume in shown:
        before = kept.get(volume.name, {})
        had = before["source"] if before and before["volume"]["id"] == volume.id else ()
        kept[volume.name] = {
            "volume": volume.plain(),
            "source": sorted({*had, *(one.host for one in hosts if _mounted(one, volume))}),
        }
    return kept


def _volumes(inputs: Mapping[str, Any]) -> list[OldVolume]:
    """Return the datastores as the source shows them, or as they were kept where it does not any more.

    Raises: Blocked where one is not there, or cannot be mounted by the new hosts.
    """
    volumes, concerns = _found(inputs)
    if concerns:
        raise Blocked(concerns)
    return volumes


def _found(inputs: Mapping[str, Any]) -> tuple[list[OldVolume], list[Concern]]:
    """Return the datastores that are known, and what is wrong with the others."""
    source = str(access.site("source").endpoint)
    found: dict[str, OldVolume | None] = dict.fromkeys(inputs["datastores"])
    for name, one in inputs["kept"].items():
        if name in found:
            found[name] = OldVolume.read(one["volume"])
    concerns = [concern for name, volume in found.items() if (concern := _wrong(name, volume, source))]
    volumes = [volume for volume in found.values() if volume is not None]
    if any(volume.nas for volume in volumes):
        concerns += [
            _taken(name, other) for name, other in site_storage.names_taken(access.site("target"), volumes).items()
        ]
    return volumes, concerns


def _taken(name: str, other: str) -> Concern:
    return Concern(
        "datastore.name-taken",
        Severity.BLOCKS,
        name,
        f"the target has a datastore of this name already, which is another one ({other})",
        "rename that one: the old datastore keeps its name, by which its VMs know it",
    )


def _wrong(name: str, volume: OldVolume | None, source: str) -> Concern | None:
    if volume is None:
        return Concern(
            "datastore.not-at-source",
            Severity.BLOCKS,
            name,
            f"{source} has no datastore of this name",
            "correct esxodus:oldDatastores",
        )
    if not volume.kind:
        return Concern(
            "datastore.not-mountable",
            Severity.BLOCKS,
            name,
            f"it is neither VMFS nor NFS ({volume.id}), so the new hosts cannot mount it too",
            "move its VMs to one that is, and take it out of esxodus:oldDatastores",
        )
    if volume.version.startswith("3."):
        # vsphere-facts, versions and paths: S24, S25.
        return Concern(
            "datastore.vmfs3",
            Severity.BLOCKS,
            name,
            f"it is VMFS {volume.version}, which newer hosts do not run from, or upgrade by themselves when they mount it",
            "upgrade it to VMFS 5 at the source first",
        )
    return None
