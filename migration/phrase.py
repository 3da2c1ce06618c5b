"""An action in an operator's words: the same in preview, progress, errors and reports. Pure."""

from __future__ import annotations

from migration.actions import (
    Action,
    Answer,
    MakeTemplate,
    MakeVm,
    Placed,
    PowerOff,
    PowerOn,
    Reconnect,
    Register,
    Relocate,
    SetAttributes,
    ShutDown,
    Unregister,
    WritePapers,
)
from migration.model import HOME, Observation


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
        case MakeTemplate():
            return "make it a template again"
        case MakeVm():
            return "make the template a VM"
        case WritePapers(papers):
            return "write its papers" if papers else "remove its papers"
        case SetAttributes(attributes):
            return "set custom attributes " + ", ".join(sorted(attributes))


def _destination(action: Relocate, seen: Observation, placed: Placed | None) -> str:
    if action.to:
        return _volume(seen, action.to[HOME])
    if placed and placed.volume:
        return _volume(seen, placed.volume)
    return " or ".join(_volume(seen, volume) for volume in action.candidates)


def _vcenter(seen: Observation, site: str) -> str:
    view = seen.sites.get(site)
    return view.vcenter if view else site


def _volume(seen: Observation, volume: str) -> str:
    names = (view.volume_name(volume) for view in seen.sites.values())
    return next((name for name in names if name), volume)
