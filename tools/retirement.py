"""The end of a demo whose stack says `esxodus:lab.retire`: the old datastores go, and the zones that were made for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from tools.running_lab import Lab


def retire(
    file: Path,
    home: Path,
    lab: Lab,
    fabrics: Mapping[str, Any],
    pulumi: Callable[..., str],
    console: Console,
) -> bool:
    """Run the stack once more with every old datastore retired, and return whether all is as it should be then.

    `file` is the stack's; the changed copy of it goes to `home`. `fabrics` is what the lab told of them before the first run.
    """
    stack = yaml.safe_load(file.read_text(encoding="utf-8"))
    names = stack["config"]["esxodus:oldDatastores"]
    stack["config"]["esxodus:oldDatastores"] = [{"name": name, "retire": True} for name in names]
    changed = home / file.name
    changed.write_text(yaml.safe_dump(stack, sort_keys=False, allow_unicode=True), encoding="utf-8")
    writes = lab.writes
    console.rule("pulumi preview, with retire: true at every old datastore")
    pulumi("preview", "--config-file", str(changed))
    problems = [f"the preview made {lab.writes - writes} write calls"] if lab.writes != writes else []
    console.rule("pulumi up, with retire: true at every old datastore")
    pulumi("up", "--yes", "--skip-preview", "--suppress-outputs", "--config-file", str(changed))
    problems += _left(lab.get("/state"), names, fabrics)
    for problem in problems:
        console.print(f"[red]not retired[/]: {problem}", highlight=False)
    if not problems:
        zones = ", ".join(f"{len(now['effective']['zones'])} in {name}" for name, now in fabrics.items())
        console.print(
            f"{', '.join(names)} are unmounted and detached on every host; our zones are gone, and the zoning is as it was "
            f"before the first run to the last byte ({zones}).",
            style="bold",
            highlight=False,
            soft_wrap=True,
        )
    return not problems


def _left(state: Mapping[str, Any], names: list[str], fabrics: Mapping[str, Any]) -> list[str]:
    """Return what is still there that should not be."""
    problems = []
    for lun in state["luns"]:
        label = (lun["volume"] or {}).get("label")
        if label not in names:
            continue
        if lun["mounted"]:
            problems.append(f"{label} is mounted on {', '.join(lun['mounted'])}")
        if attached := sorted(set(lun["seen"]) - set(lun["detached"])):
            problems.append(f"{label} is attached on {', '.join(attached)}")
    for name, before in fabrics.items():
        now = state["fabrics"][name]
        problems += [
            f"{name}: {key} differs from before"
            for key in ("defined", "effective", "checksum")
            if now[key] != before[key]
        ]
        if now["transaction"] or now["sessions"]:
            problems.append(f"{name}: a transaction or a session is left open on the switch")
    return problems
