"""EvcMode: the EVC mode of the new cluster. The path of this module is in users' states: it stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from components.providers import access, runtime, verdict
from components.providers.accounted import accounted
from migration.errors import Blocked
from vsphere import evc

if TYPE_CHECKING:
    import pulumi
    from pulumi.dynamic import ConfigureRequest

    from components.settings_site import Target
    from migration.model import Concern


class EvcModeProvider(ResourceProvider):
    """Sets the mode that is asked for, or for `auto` the highest that all hosts have; tries it before setting it."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Remember the stack's configuration; no site is contacted yet."""
        access.configure(req)

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """In a preview, say what the mode would be."""
        expected = int(news.pop("preview", 0))
        if expected:
            call = runtime.current_call()
            said, concerns = _foreseen(news["cluster"], news["mode"])
            if said:
                call.say(said)
            verdict.show(call, "EVC", concerns, expected)
        return CheckResult(news, [])

    def diff(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare with the mode that is in force, so that a drift heals without a refresh."""
        state = evc.read(access.site("target"), news["cluster"])
        return DiffResult(changes=state.current != evc.wanted(state, news["mode"]))

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Set the mode."""
        return CreateResult(props["cluster"], _settled(props["cluster"], props, {}))

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Set the mode; also what follows a failed create."""
        return UpdateResult(_settled(id_, news, olds))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return the mode that is in force."""
        return ReadResult(id_, {**props, "inForce": evc.read(access.site("target"), id_).current})

    def delete(self, id_: str, _props: dict[str, Any]) -> None:
        """Forget the mode; it stays in force."""
        runtime.current_call().say(f"{id_}: its EVC mode is left as it is")


class EvcMode(Resource, module="esxodus", name="EvcMode"):
    """The EVC mode of a cluster."""

    inForce: pulumi.Output[str]  # noqa: N815 - as it is called in the state
    audit: pulumi.Output[list[dict[str, str]]]

    def __init__(self, name: str, target: Target, preview: int, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the mode of the target's cluster. `preview`: as for a VM."""
        inputs = {"cluster": target.cluster.name, "mode": target.cluster.evc, "preview": preview}
        super().__init__(EvcModeProvider(), name, {"inForce": None, "audit": None, **inputs}, opts)


def _foreseen(cluster: str, mode: str) -> tuple[str, tuple[Concern, ...]]:
    """Return what a preview says of the mode, nothing where it is in force, and what blocks it."""
    try:
        state = evc.read(access.site("target"), cluster)
    except Blocked:  # the cluster is not built yet
        return f"EVC {mode}: settled once the hosts have joined {cluster}", ()
    if not state.hosts:
        return f"EVC {mode}: settled once the hosts have joined {cluster}", ()
    try:
        wanted = evc.wanted(state, mode)
    except Blocked as error:
        return f"EVC {mode}: stopped", error.concerns
    return (f"EVC {state.current or 'off'} → {wanted}" if state.current != wanted else ""), ()


def _settled(id_: str, inputs: dict[str, Any], olds: dict[str, Any]) -> dict[str, Any]:
    """Set the mode and return the outputs.

    Raises: MigrationError.
    """
    with accounted(id_, inputs, olds) as outputs:
        outputs["inForce"] = _set(inputs["cluster"], inputs["mode"])
    return outputs


def _set(cluster: str, mode: str) -> str:
    """Set the mode where it is not in force, and return its key.

    Raises: Blocked with the hosts that stand against it; MigrationError.
    """
    site = access.site("target")
    state = evc.read(site, cluster)
    wanted = evc.wanted(state, mode)
    if state.current != wanted:
        if against := evc.check(site, cluster, wanted):
            raise Blocked(against)
        evc.configure(site, cluster, wanted)
    return wanted
