"""MigratedVm: one VM at the stage that the operator wants. The path of this module is in users' states: it stays."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import (
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from components.providers import access, runtime, verdict
from components.providers.vm_inputs import inputs_of, spec_of
from migration import concerns, converge, decide, declared, plan
from migration.actions import Done
from migration.errors import MigrationError

if TYPE_CHECKING:
    from pulumi.dynamic import ConfigureRequest

    from migration.observation import Observation
    from migration.wanted import VmSpec


class MigratedVmProvider(ResourceProvider):
    """Converges one VM. Thin: what to do is decided in `migration`, how it is done is known in `vsphere`."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Remember the stack's configuration; no site is contacted yet."""
        access.configure(req)

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """In a preview, say what would be done and what stands in the way; what blocks fails the preview.

        A VM that was once found by its name stays the one that is meant, whatever it is called later.
        """
        expected = int(news.pop("preview", 0))
        if not news.get("uuid"):
            known = olds.get("uuid") if olds.get("vm") == news["vm"] else ""
            news["uuid"] = known or _uuid(access.sites().observe(spec_of(news).identity)[0])
        if expected:
            call = runtime.current_call()
            spec = spec_of(news)
            seen, _ = access.sites().observe(spec.identity)
            seen = declared.as_declared(spec, seen)
            foreseen = plan.plan(spec, seen)
            if foreseen.steps:
                call.say(f"{spec.identity.name}  {foreseen}")
            verdict.show(call, news["vm"], (*concerns.concerns(spec, seen), *foreseen.stop), expected)
        return CheckResult(news, [])

    def diff(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare the wanted stage with the observed one, so that a drift heals without a refresh."""
        spec = spec_of(news, id_)
        seen, _ = access.sites().observe(spec.identity)
        settled = isinstance(decide.decide(spec, seen), Done)
        return DiffResult(changes=not settled or olds.get("reached") != spec.stage.value)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Bring the VM to its stage."""
        seen, _ = access.sites().observe(spec_of(props).identity)
        uuid = _uuid(seen)
        outputs = _outputs(props, was=_place(seen))
        _carry(uuid or str(props["vm"]), spec_of(props, uuid), outputs)
        return CreateResult(uuid or str(props["vm"]), outputs)

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Bring the VM to its stage; also what follows a failed or paused create."""
        outputs = _outputs(news, was=olds.get("was") or {}, downtime=olds.get("downtimeSeconds"))
        _carry(id_, spec_of(news, id_), outputs)
        return UpdateResult(outputs)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return what is seen now; a VM that is gone from every site and datastore is dropped from the state."""
        spec = spec_of(props, id_)
        seen, _ = access.sites().observe(spec.identity)
        if not seen.vms and not seen.adrift:
            return ReadResult("", {})
        stage = decide.stage_of(spec, seen)
        return ReadResult(id_, {**props, "reached": stage.value if stage else "", "place": _place(seen)})

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Forget the VM; it stays where and as it is."""
        runtime.current_call().say(f"{props['vm']}: left where and as it is; this stack forgets it")


class MigratedVm(Resource, module="esxodus", name="MigratedVm"):
    """A VM of a wave."""

    reached: pulumi.Output[str]
    method: pulumi.Output[str]
    was: pulumi.Output[dict[str, Any]]
    place: pulumi.Output[dict[str, Any]]
    downtimeSeconds: pulumi.Output[float | None]  # noqa: N815 - as it is called in the state

    def result(self) -> pulumi.Output[dict[str, Any]]:
        """Return what the stack exports of the VM: stage, method, where it was and is, guest downtime in seconds."""
        told = {
            "stage": self.reached,
            "method": self.method,
            "was": self.was.apply(_told),
            "is": self.place.apply(_told),
        }
        return pulumi.Output.all(**told, downtime=self.downtimeSeconds)

    def __init__(self, name: str, spec: VmSpec, preview: int, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the VM. `preview`: in a preview, how many resources of this module's kind are checked; else 0."""
        outputs = dict.fromkeys(("reached", "was", "place", "downtimeSeconds", "timings", "steps"))
        super().__init__(MigratedVmProvider(), name, {**outputs, **inputs_of(spec), "preview": preview}, opts)


def _told(place: dict[str, Any] | None) -> str:
    """Say in a line where a VM is; every line of the stack's outputs is printed at every run."""
    if not place:
        return ""
    return f"{place['site']}: {place['host']}, {', '.join(place['datastores'])}"


def _outputs(inputs: dict[str, Any], *, was: dict[str, Any], downtime: float | None = None) -> dict[str, Any]:
    return {**inputs, "reached": "", "was": was, "place": was, "downtimeSeconds": downtime, "timings": {}, "steps": []}


def _carry(id_: str, spec: VmSpec, outputs: dict[str, Any]) -> None:
    """Converge, and put what came of it into the outputs; on failure the outputs say how far it has come."""
    call = runtime.current_call()
    sites = access.sites()
    with call.keeping(id_, outputs):
        try:
            seen, _ = sites.observe(spec.identity)
            outputs["method"] = plan.plan(spec, seen).method
            outcome = converge.converge(spec, sites, access.admission, call.progress, runtime.stop)
        except Exception:
            with contextlib.suppress(MigrationError):  # the first error is the one to report
                seen, _ = sites.observe(spec.identity, look_adrift=False)
                stage = decide.stage_of(spec, seen)
                outputs.update(reached=stage.value if stage else "", place=_place(seen))
            raise
        outputs.update(
            reached=outcome.stage.value if outcome.stage else "",
            place=_place(sites.observe(spec.identity)[0]),
            timings={name: round(seconds, 1) for name, seconds in outcome.timings.items()},
            steps=list(outcome.steps),
        )
        if outcome.downtime is not None:
            outputs["downtimeSeconds"] = round(outcome.downtime, 1)
        if outcome.steps:
            call.say(_summary(spec, outputs))


def _summary(spec: VmSpec, outputs: dict[str, Any]) -> str:
    down = outputs["downtimeSeconds"]
    return f"{spec.identity.name}: {spec.stage.value}" + (f", guest down for {down:g} s" if down is not None else "")


def _uuid(seen: Observation) -> str:
    """Return the instance UUID of the one VM that is meant, or nothing where that is not clear."""
    uuids = {vm.instance_uuid for vm in seen.vms} or {found.instance_uuid for found in seen.adrift}
    return uuids.pop() if len(uuids) == 1 else ""


def _place(seen: Observation) -> dict[str, Any]:
    """Return where the VM is, in the names of its site; nothing where it is registered nowhere or twice."""
    vm = seen.vm
    if vm is None:
        return {}
    view = seen.sites[vm.site]
    return {
        "site": vm.site,
        "host": vm.host,
        "datacenter": vm.datacenter,
        "folder": vm.folder,
        "pool": vm.pool,
        "datastores": sorted(view.volume_name(volume) or volume for volume in vm.volumes),
    }
