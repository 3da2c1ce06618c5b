"""Writes docs/concerns.md from the code, or checks that it is as the code says: `python -m tools.concerns [--check]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from fabric import against
from migration.concerns import KINDS
from migration.rule import Kind

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "concerns.md"

AREAS: Final = {
    "vm": "The VM",
    "hardware": "Virtual hardware",
    "snapshot": "Snapshots",
    "guest": "The guest",
    "disk": "Disks",
    "rdm": "Raw device mappings",
    "device": "Devices",
    "media": "CD and floppy drives",
    "network": "Networks",
    "datastore": "Datastores",
    "fabric": "The fabric",
    "volume": "Old datastores on the new hosts",
    "retire": "Retiring old datastores",
    "upgrade": "Rolling upgrade",
    "host": "Hosts",
    "license": "Licences",
    "evc": "EVC",
    "live": "Moves from vCenter to vCenter in one step",
    "rollback": "The way back",
    "permission": "Permissions",
    "drs": "DRS rules",
    "wave": "Waves",
    "hook": "Hooks",
    "site": "The sites",
    "register": "Registering",
    "cross": "Moving to the other vCenter in one step",
    "task": "Tasks",
    "fault": "Refused by vCenter",
}
"""Heading of each area, by what its ids begin with; in the order of the page."""

INTRO: Final = """\
# Concerns

*Made from the code by `make docs`; edit `migration/concerns/` instead.*

`pulumi preview` says all that it finds about each VM before anything is touched, and so does `pulumi up` about what has come
up since. A line has the VM or the thing, what is wrong, the id, and what to do:

```
app01: Hard disk 2 is on datastore 'old-fc-09', which does not come along [disk.not-brought-along] — add 'old-fc-09' to …
```

| severity | means |
|---|---|
| blocks | continuity or files are at risk, or a step would be refused: it fails the preview, and cannot be accepted |
| warns | something may not reconnect or not be as it was: know it, and deal with it or accept it |
| informs | worth knowing; listed in the outputs only |

A warning is accepted by its id, with a reason: it then only informs, with the reason, in the preview and in the outputs; an id
that only ever blocks is refused in `esxodus:accept`. The `live.*` ids block where the method is `xvm`; with `auto` they are the
reasons why a VM is reattached instead. What only matters before a guest is taken down never keeps one down: found
then, it warns.

A source S… is listed in [vsphere-facts.md](vsphere-facts.md); U is common knowledge of the field without a document at hand;
API is the reference of the vSphere Web Services API; “ours” follows from how Esxodus works.
"""


def page() -> str:
    """Return the text of docs/concerns.md."""
    areas: dict[str, list[Kind]] = {area: [] for area in AREAS}
    for kind in (*KINDS, *against.KINDS):
        areas[kind.id.partition(".")[0]].append(kind)  # an area without a heading is an error here
    parts = [INTRO]
    for area, heading in AREAS.items():
        rows = "".join(_row(kind) for kind in areas[area])
        parts.append(f"## {heading}\n\n| id | severity | what it is | remedy | source |\n|---|---|---|---|---|\n{rows}")
    return "\n".join(parts)


def _row(kind: Kind) -> str:
    cells = (f"`{kind.id}`", kind.severity, kind.about, kind.remedy, kind.source)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def main(arguments: list[str] | None = None) -> int:
    """Write the page, or with --check only compare; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.concerns", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail where the page is not as the code says"
    )
    wanted = page()
    if not parser.parse_args(arguments).check:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != wanted:
        print(f"docs: {PAGE.relative_to(PAGE.parents[1])} is not as the code says, run make docs", file=sys.stderr)
        return 1
    print("docs: docs/concerns.md is as the code says")
    return 0


if __name__ == "__main__":
    sys.exit(main())
