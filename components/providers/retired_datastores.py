"""RetiredDatastores: old datastores out of service on every host. The path of this module is in users' states: it stays."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from components.providers import access, runtime, verdict
from components.providers.accounted import accounted
from migration import retire
from migration.errors import Blocked, MigrationError, Paused, Stale
from migration.model import Concern, Severity
from migration.retire import Against, Old
from vsphere import retiring, site_storage
from vsphere.site_storage import OldVolume

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pulumi
    from pulumi.dynamic import ConfigureRequest

    from vsphere.site import Site

SITES: Final = ("source", "target")
EFFECT: Final = 20.0
"""Seconds in which vCenter has to show what its hosts have done."""


class RetiredDatastoresProvider(ResourceProvider):
    """Takes each datastore out of service where nothing uses it any more; where something does, nothing is begun."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Remember the stack's configuration; no site is contacted yet."""
        access.configure(req)

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """In a preview, say host by host what will be done, and what stands against it."""
        expected = int(news.pop("preview", 0))
        leaving = news.pop("leaving", None) or []
        news["kept"] = _kept(news, olds, strict=bool(expected))
        if expected:
            call = runtime.current_call()
            found, concerns = _looked_at(news, ())
            for old in found:
                if said := retire.foretold(old):
                    call.say(said)
                concerns += retire.concerns(old, leaving)
            verdict.show(call, "the datastores to retire", concerns, expected)
        return CheckResult(news, [])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare with what the hosts show, so that a host that has one mounted again is seen without a refresh."""
        known = olds.get("retired") or {}
        if not olds.get("complete") or set(known) != set(news["datastores"]):
            return DiffResult(changes=True)
        volumes = [OldVolume.read(known[name]) for name in news["datastores"]]
        sites = [access.site(name) for name in SITES]
        hosts = [one for site in sites for volume in volumes for one in retiring.standing(site, volume)]
        return DiffResult(changes=any(one.connected and not one.retired for one in hosts))

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Retire the datastores."""
        return CreateResult("retired datastores", _settled("retired datastores", props, {}))

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Retire the datastores that are not; also what follows a failed create."""
        return UpdateResult(_settled(id_, news, olds))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return what was done; `diff` looks at the hosts themselves."""
        return ReadResult(id_, props)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Forget them; they stay as they are."""
        runtime.current_call().say(
            "retired datastores are left as they are; OldDatastores brings back those it is given"
        )


class RetiredDatastores(Resource, module="esxodus", name="RetiredDatastores"):
    """Old datastores that are unmounted and detached on every host of both sites.

    `complete` is true once they are: until then the resource fails. What depends on it, such as the removal of zones, comes
    after the last detach.
    """

    complete: pulumi.Output[bool]
    retired: pulumi.Output[dict[str, Any]]
    audit: pulumi.Output[list[dict[str, str]]]

    def __init__(
        self,
        name: str,
        datastores: Sequence[str],
        known: pulumi.Input[Mapping[str, Any]],
        leaving: Sequence[str],
        preview: int,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare that these datastores are retired.

        `known` is `OldDatastores.volumes`: what each name is, for when no vCenter shows it any more. `leaving` are the VMs that
        this program takes to the new array before; in a preview they are still there. `preview`: as for a VM.
        """
        inputs = {"datastores": list(datastores), "known": known, "leaving": list(leaving), "preview": preview}
        outputs = {"complete": None, "retired": None, "searched": None, "audit": None}
        super().__init__(RetiredDatastoresProvider(), name, {**outputs, **inputs}, opts)


def _settled(id_: str, inputs: dict[str, Any], olds: dict[str, Any]) -> dict[str, Any]:
    """Retire the datastores and return the outputs.

    Raises: MigrationError.
    """
    with accounted(id_, inputs, olds) as outputs:
        outputs["complete"] = False
        _retire(inputs, olds, outputs)
        outputs["complete"] = True
    return outputs


def _retire(inputs: dict[str, Any], olds: dict[str, Any], outputs: dict[str, Any]) -> None:
    """Unmount, then detach, on every host. Nothing at all is begun where anything stands against any of them.

    Raises: Blocked with everything that stands against it; Paused; MigrationError.
    """
    call = runtime.current_call()
    outputs["searched"] = searched = [name for name in olds.get("searched") or () if name in inputs["datastores"]]
    found, concerns = _looked_at(inputs, searched)
    if _mounted_to_look(found, inputs):
        found, concerns = _looked_at(inputs, searched)
    for old in found:
        concerns += retire.concerns(old)
    for concern in concerns:
        if concern.severity is not Severity.BLOCKS:
            call.say(str(concern), severity="warning")
    if against := [concern for concern in concerns if concern.severity is Severity.BLOCKS]:
        raise Blocked(against)
    volumes = {name: volume for name, volume in _volumes(inputs).items() if volume}
    outputs["retired"] = {name: volume.plain() for name, volume in volumes.items()}
    searched += [old.name for old in found if old.name not in searched and not old.retired]
    for verb in retire.Verb:  # of all of them: no disk is detached while a datastore is mounted anywhere
        for old in found:
            for step in retire.steps(old):
                if step.verb is verb:
                    _do(step, volumes[old.name])
    for name, volume in volumes.items():
        _see(volume)
        call.progress(f"{name} is retired", None)


def _mounted_to_look(found: Sequence[Old], inputs: Mapping[str, Any]) -> bool:
    """Mount on one host again what a killed run has unmounted everywhere: nobody remembers whether it had been searched."""
    volumes, mounted = _volumes(inputs), False
    for old in found:
        unsearched = [use for use in old.uses if use.against is Against.UNSEARCHED]
        volume, host = volumes[old.name], retiring.to_look_from(old)
        if unsearched and unsearched[0].severity is Severity.WARNS and volume and host:
            runtime.current_call().progress(f"mounting {old.name} on {host.host}, to search it", None)
            site_storage.mount(access.site(host.site), host.host, volume)
            site_storage.mounts(access.site(host.site), [host.host], [volume])  # the inventory shall know of it now
            mounted = True
    return mounted


def _do(step: retire.Step, volume: OldVolume) -> None:
    if runtime.stop.is_set():
        raise Paused(f"{volume.name}: paused before it is to {step}; run again to go on")
    runtime.current_call().progress(f"{volume.name}: {step}", None)
    retiring.perform(access.site(step.site), step, volume)


def _see(volume: OldVolume) -> None:
    """Wait until both vCenters show it retired on every host.

    Raises: Stale where they do not.
    """
    until = time.monotonic() + EFFECT
    while True:
        hosts = [one for name in SITES for one in retiring.standing(access.site(name), volume)]
        left = [one.host for one in hosts if not one.retired]
        if not left:
            return
        if time.monotonic() > until:
            raise Stale(f"{volume.name}: {', '.join(left)} still shows it mounted or attached; run again to go on")
        time.sleep(1)


def _looked_at(inputs: Mapping[str, Any], searched: Collection[str]) -> tuple[list[Old], list[Concern]]:
    """Return each datastore as all sites show it, and what is wrong with names that mean none."""
    sites: list[Site] = [access.site(name) for name in SITES]
    found, concerns = [], []
    for name, volume in _volumes(inputs).items():
        if volume is None:
            sentence = f"{sites[0].endpoint} has no datastore of this name with the disk that is known of it"
            concerns.append(Against.UNKNOWN.concern(name, sentence))
        else:
            found.append(retiring.looked_at(sites, volume, searched=name in searched))
    return found, concerns


def _kept(news: Mapping[str, Any], olds: Mapping[str, Any], *, strict: bool) -> dict[str, Any]:
    """Return what each name is: as it was kept; else as the source shows it, which after the last unmount may forget it.

    It is kept among the inputs, because only those are at hand in a preview. None of it says that nothing is known.
    """
    kept = {name: one for name, one in (olds.get("kept") or {}).items() if name in news["datastores"]}
    try:
        shown = site_storage.old_volumes(access.site("source"), news["datastores"])
    except MigrationError:
        if strict:
            raise
        return kept
    return {name: volume.plain() for name, volume in shown.items() if volume} | kept


def _volumes(inputs: Mapping[str, Any]) -> dict[str, OldVolume | None]:
    """Return what each name is; None where that is not known, or where the source shows another volume by the name now."""
    known = inputs.get("known")  # in a preview it may be a thing of Pulumi's that stands for what is not known yet
    kept = {**(known if isinstance(known, dict) else {}), **inputs["kept"]}
    shown = site_storage.old_volumes(access.site("source"), inputs["datastores"])
    found = {name: OldVolume.read(kept[name]) if name in kept else None for name in inputs["datastores"]}
    return {name: None if one and (other := shown[name]) and other.id != one.id else one for name, one in found.items()}
