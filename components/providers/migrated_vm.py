"""MigratedVm: one VM at the stage that the operator wants. The path of this module is in users' states: it stays."""

from __future__ import annotations

import contextlib
import time
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

from components import outcomes
from components.providers import access, evc_choice, runtime, verdict, vm_outputs
from components.providers.vm_inputs import inputs_of, spec_of
from components.totals import TOLD
from migration import concerns, converge, decide, declared, live, plan, tenure
from migration.actions import Done
from migration.errors import Held, MigrationError
from migration.report import Report
from migration.wanted import Method
from vsphere import audit

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
            seen = tenure.at_a_glance(access.holder(), declared.as_declared(spec, seen, evc_choice.coming()))
            foreseen = plan.plan(spec, seen, time.time())
            if foreseen.steps:
                call.say(_foretold(spec, foreseen))
            verdict.show(call, news["vm"], (*concerns.concerns(spec, seen), *foreseen.stop), expected)
        return CheckResult(news, [])

    def diff(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare the wanted stage with the observed one, so that a drift heals without a refresh."""
        spec = spec_of(news, id_)
        seen, _ = access.sites().observe(spec.identity)
        settled = isinstance(decide.decide(spec, seen), Done)
        return DiffResult(changes=not settled or olds.get("reached") != spec.stage.value or bool(olds.get("waiting")))

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Bring the VM to its stage."""
        seen, _ = access.sites().observe(spec_of(props).identity)
        uuid = _uuid(seen)
        outputs = vm_outputs.begun(props, {}, seen)
        _carry(uuid or str(props["vm"]), spec_of(props, uuid), outputs)
        return CreateResult(uuid or str(props["vm"]), outputs)

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Bring the VM to its stage; also what follows a failed, paused or held create."""
        spec = spec_of(news, id_)
        seen, _ = access.sites().observe(spec.identity)
        outputs = vm_outputs.begun(news, olds, seen)
        _carry(id_, spec, outputs)
        return UpdateResult(outputs)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return what is seen now; a VM that is gone from every site and datastore is dropped from the state."""
        spec = spec_of(props, id_)
        seen, _ = access.sites().observe(spec.identity)
        if not seen.vms and not seen.adrift:
            return ReadResult("", {})
        stage = decide.stage_of(spec, seen)
        return ReadResult(id_, {**props, "reached": stage.value if stage else "", "place": vm_outputs.place(seen)})

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        """Forget the VM; it stays where and as it is."""
        runtime.current_call().say(f"{props['vm']}: left where and as it is; this stack forgets it")


class MigratedVm(Resource, module="esxodus", name="MigratedVm"):
    """A VM of a wave."""

    def told(self) -> pulumi.Output[dict[str, Any]]:
        """Return the outputs that exports are made of; what is known instead where it failed or was not begun."""
        outputs = pulumi.Output.all(**{name: getattr(self, name) for name in TOLD})
        wanted = {"stage": self._stage}

        async def settled() -> dict[str, Any]:
            known = await outputs.future()  # None: the engine has no outputs of a resource that failed or was skipped
            return {**wanted, **(known or outcomes.of(await self.urn.future(), TOLD))}

        return (
            outputs.apply(lambda known: {**wanted, **known})
            if pulumi.runtime.is_dry_run()
            else pulumi.Output.from_input(settled())
        )

    def __init__(self, name: str, spec: VmSpec, preview: int, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the VM. `preview`: in a preview, how many resources of this module's kind are checked; else 0."""
        outputs = dict.fromkeys(vm_outputs.NAMES)
        self._stage = spec.stage.value
        super().__init__(MigratedVmProvider(), name, {**outputs, **inputs_of(spec), "preview": preview}, opts)


def _foretold(spec: VmSpec, foreseen: plan.Plan) -> str:
    """Return the line of the preview, under it why the VM goes by this method, and what holds it now.

    Why no VM at all can go live between two vCenters is said once in a preview.
    """
    lines = [f"{spec.identity.name}  {foreseen}"]
    because = "live" if foreseen.method == Method.XVM else "live is not possible"
    for reason in () if foreseen.stop else foreseen.reasons:
        if not _of_the_sites(reason):
            lines.append(f"    {because}: {reason}")
        elif verdict.first(reason):
            lines.append(f"    {because} for any VM: {reason}")
    if foreseen.held:
        lines.append(f"    held now: {foreseen.held}")
    return "\n".join(lines)


def _of_the_sites(reason: str) -> bool:
    """Say whether a reason against live moves is about the vCenters themselves; a host that is too old is one VM's own."""
    return reason.endswith(f"[{live.version.id}]") and not reason.startswith("its ")


def _carry(id_: str, spec: VmSpec, outputs: dict[str, Any]) -> None:
    """Converge, and put what came of it into the outputs; on failure too, for they say how far it has come.

    A VM that its wave does not admit now is no failure: its outputs say what it waits for, and the next run goes on.
    """
    call = runtime.current_call()
    sites, holder = access.sites(), access.holder()
    report = Report()
    papers = None
    before: dict[str, Any] = {}
    error: Exception | None = None
    with call.keeping(id_, outputs), audit.recording() as calls:
        try:
            seen, _ = sites.observe(spec.identity)
            papers = vm_outputs.setting_out(spec, seen)
            before = vm_outputs.foretold(spec, seen)
            converge.converge(
                spec,
                sites,
                access.admission,
                call.progress,
                runtime.stop,
                outside=access.outside(),
                report=report,
                holder=holder,
            )
        except Held as held:
            error = held
            outputs["waiting"] = str(held)
            call.say(str(held), severity="warning")
        except Exception as failure:
            error = failure
            raise
        finally:
            access.admission.ended(spec, error)
            vm_outputs.account(outputs, before, report, calls)
            outputs["arrived"] = outputs["arrived"] or error is None
            with contextlib.suppress(*([MigrationError] if error else [])):  # the first error is the one to report
                seen, _ = sites.observe(spec.identity, look_adrift=False)
                vm_outputs.conclude(outputs, spec, tenure.at_a_glance(holder, seen), papers)
        if report.steps:
            call.say(_summary(spec, outputs))


def _summary(spec: VmSpec, outputs: dict[str, Any]) -> str:
    down = outputs["downtimeSeconds"]
    stage = outputs["reached"] or "on its way"
    return f"{spec.identity.name}: {stage}" + (f", guest down for {down:g} s" if down is not None else "")


def _uuid(seen: Observation) -> str:
    """Return the instance UUID of the one VM that is meant, or nothing where that is not clear."""
    uuids = {vm.instance_uuid for vm in seen.vms} or {found.instance_uuid for found in seen.adrift}
    return uuids.pop() if len(uuids) == 1 else ""
