"""An action in an operator's words: the same in preview, progress, errors and reports. Pure."""

from __future__ import annotations

from migration.actions import (
    Action,
    Answer,
    CheckHealth,
    Cross,
    Hold,
    MakeTemplate,
    MakeVm,
    Placed,
    PowerOff,
    PowerOn,
    Reconnect,
    Register,
    Relocate,
    RestoreMetadata,
    RunHook,
    SetAttributes,
    ShutDown,
    Unregister,
    WritePapers,
)
from migration.model import HOME, Power
from migration.observation import Observation


def phrase(action: Action, seen: Observation, placed: Placed | None = None) -> str:
    """Say what an action does; where it goes, once that is chosen."""
    match action:
        case ShutDown(timeout):
            return f"shut down the guest (at most {timeout:g} s)"
        case PowerOff(reason):
            return f"power off ({reason})"
        case PowerOn():
            return "power on"
        case Answer(label=label):
            return f"answer its question: it was moved ({label})"
        case Unregister(site):
            return f"unregister at {_vcenter(seen, site)}"
        case Register(site=site):
            return f"register at {_vcenter(seen, site)}" + (f" on {placed.host}" if placed and placed.host else "")
        case Reconnect(networks):
            return "connect to " + ", ".join(sorted(set(networks.values())))
        case Relocate():
            return f"Storage vMotion of {action.size:.0f} GiB to {_destination(action, seen, placed)}"
        case Cross():
            return _crossing(action, seen, placed)
        case RestoreMetadata(metadata):
            return "restore " + ", ".join(metadata.said())
        case RunHook(when, hook):
            return f"run the hook {when} it moves ({hook.command[0]})"
        case CheckHealth():
            return f"check that its guest is well ({_health(action)}, at most {action.timeout:g} s)"
        case MakeTemplate():
            return "make it a template again"
        case MakeVm():
            return "make the template a VM"
        case WritePapers(papers):
            return "write its papers" if papers else "remove its papers"
        case Hold(let_go=let_go):
            return "let it go" if let_go else "say in it who works on it"
        case SetAttributes(attributes):
            return "set custom attributes " + ", ".join(sorted(attributes))


def whereabouts(seen: Observation) -> str:
    """Say how a VM is left that is paused between two steps; what is urgent about it first."""
    vm = seen.vm
    if vm is None:
        return "while it is registered nowhere"
    on_its_way = vm.papers is not None and vm.papers.transit
    if on_its_way and vm.papers and vm.papers.power is Power.ON and vm.power is Power.OFF:
        return f"at {vm.site} while its guest is down"
    return f"between two steps at {vm.site}, {'powered on' if vm.power is Power.ON else 'powered off'}"


def _crossing(action: Cross, seen: Observation, placed: Placed | None) -> str:
    kind = "vMotion" if action.live else "move"
    words = f"{kind} to {_vcenter(seen, action.site)}" + (f" on {placed.host}" if placed and placed.host else "")
    if not (action.to or action.candidates):
        return f"{words}, its files stay"
    return f"{words}, with {action.size:.0f} GiB to {_destination(action, seen, placed)}"


def _health(action: CheckHealth) -> str:
    parts = (
        "Tools" if action.tools else "",
        ", ".join(action.addresses),
        f"TCP {', '.join(str(port) for port in action.ports)}" if action.ports else "",
    )
    return ", ".join(part for part in parts if part)


def _destination(action: Relocate | Cross, seen: Observation, placed: Placed | None) -> str:
    if action.to:
        volumes = dict.fromkeys((action.to[HOME], *action.to.values()))
        return ", ".join(_volume(seen, volume) for volume in volumes)
    if placed and placed.volume:
        return _volume(seen, placed.volume)
    return " or ".join(_volume(seen, volume) for volume in action.candidates)


def _vcenter(seen: Observation, site: str) -> str:
    view = seen.sites.get(site)
    return view.vcenter if view else site


def _volume(seen: Observation, volume: str) -> str:
    names = (view.volume_name(volume) for view in seen.sites.values())
    return next((name for name in names if name), volume)
