"""EvcMode: the EVC mode of the new cluster. The path of this module is in users' states: it stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from components.providers import access, evc_choice, runtime, verdict
from components.providers.accounted import accounted
from migration import evc
from migration.errors import Blocked, MigrationError
from migration.model import Severity
from vsphere import evc as vsphere_evc

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pulumi
    from pulumi.dynamic import ConfigureRequest

    from components.settings_site import Target
    from migration.evc import Choice, Evc
    from migration.model import Concern


DRIFTED: Final = "; somebody has changed it in vCenter"


class EvcModeProvider(ResourceProvider):
    """Sets the mode that is asked for, or for `auto` the highest that all hosts have; tries it before setting it."""

    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """Remember the stack's configuration; no site is contacted yet."""
        access.configure(req)

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """In a preview, say what the mode will be and why, and what stands against it: from what can be read alone.

        What is in force and what is wanted is kept among the inputs, by which a preview tells a drift from a new wish.
        """
        expected = int(news.pop("preview", 0))
        call = runtime.current_call()
        try:
            state, choice, concerns = _foreseen(news["cluster"], news["mode"])
        except MigrationError:
            if expected:
                raise
            return CheckResult({**news, "known": olds.get("known")}, [])  # the update will say what is wrong
        known = {"inForce": state.current, "wanted": choice.key} if state and choice else None
        if expected:
            if said := _said(news["cluster"], news["mode"], state, choice):
                call.say(said + (DRIFTED if known and _drifted(olds.get("known"), known) else ""))
            verdict.show(call, "EVC", concerns, expected)
        return CheckResult({**news, "known": known}, [])

    def diff(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Compare with the mode that is in force, so that a drift heals without a refresh."""
        state = evc_choice.built(news["cluster"])
        try:
            return DiffResult(changes=state is None or state.current != evc_choice.choose(state, news["mode"]).key)
        except Blocked:  # the preview has said so, and the update will
            return DiffResult(changes=True)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Set the mode."""
        return CreateResult(props["cluster"], _settled(props["cluster"], props, {}))

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Set the mode; also what follows a failed create."""
        return UpdateResult(_settled(id_, news, olds))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Return the mode that is in force."""
        return ReadResult(id_, {**props, "inForce": vsphere_evc.read(access.site("target"), id_).current})

    def delete(self, id_: str, _props: dict[str, Any]) -> None:
        """Forget the mode; it stays in force."""
        runtime.current_call().say(f"{id_}: its EVC mode is left as it is")


class EvcMode(Resource, module="esxodus", name="EvcMode"):
    """The EVC mode of a cluster."""

    inForce: pulumi.Output[str]  # noqa: N815 - as it is called in the state
    because: pulumi.Output[str]
    audit: pulumi.Output[list[dict[str, str]]]

    def __init__(self, name: str, target: Target, preview: int, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the mode of the target's cluster. `preview`: as for a VM."""
        inputs = {"cluster": target.cluster.name, "mode": target.cluster.evc, "preview": preview}
        super().__init__(EvcModeProvider(), name, {"inForce": None, "because": None, "audit": None, **inputs}, opts)


def _foreseen(cluster: str, setting: str) -> tuple[Evc | None, Choice | None, tuple[Concern, ...]]:
    """Return the cluster's EVC and the mode to come, as far as they are known, and what stands against it.

    Raises: MigrationError.
    """
    state = evc_choice.built(cluster)
    if state is None:
        return None, None, ()
    try:
        choice = evc_choice.choose(state, setting)
    except Blocked as error:
        return state, None, error.concerns
    return state, choice, evc.against(state, choice.key)


def _said(cluster: str, setting: str, state: Evc | None, choice: Choice | None) -> str:
    """Return what a preview says of the mode; nothing where it is in force."""
    if state is None:
        return f"EVC {setting}: settled once the hosts have joined {cluster}"
    if choice is None:
        return f"EVC {setting}: stopped"
    return f"EVC {state.current or 'off'} → {choice}" if state.current != choice.key else ""


def _drifted(before: Mapping[str, str] | None, now: Mapping[str, str]) -> bool:
    """Say whether the same mode is wanted as in the last run, and another one is in force than it found."""
    return before is not None and before["wanted"] == now["wanted"] and before["inForce"] != now["inForce"]


def _settled(id_: str, inputs: dict[str, Any], olds: dict[str, Any]) -> dict[str, Any]:
    """Set the mode and return the outputs.

    Raises: MigrationError.
    """
    with accounted(id_, inputs, olds) as outputs:
        outputs["inForce"], outputs["because"] = _set(inputs["cluster"], inputs["mode"])
    return outputs


def _set(cluster: str, setting: str) -> tuple[str, str]:
    """Set the mode where it is not in force, and return its key and why it is that one.

    What is known to stand against it is asked first, then vCenter itself, by a dry run. Neither changes anything.

    Raises: Blocked with the hosts and VMs that stand against it; MigrationError.
    """
    site = access.site("target")
    state = vsphere_evc.read(site, cluster)
    choice = evc_choice.choose(state, setting)
    if state.current != choice.key:
        foreseen = evc.against(state, choice.key)
        blocks = [concern for concern in foreseen if concern.severity is Severity.BLOCKS]
        if against := blocks or vsphere_evc.check(site, cluster, choice.key):
            raise Blocked((*against, *(concern for concern in foreseen if concern not in blocks)))
        vsphere_evc.configure(site, cluster, choice.key)
        runtime.current_call().say(f"EVC {state.current or 'off'} → {choice}")
    return choice.key, choice.because
