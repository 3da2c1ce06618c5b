"""Writes docs/least-privilege.md from the table in the code, or checks it: `python -m tools.privileges [--check]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from vsphere.privileges import BUILDING, SOURCE, TARGET, UPGRADED, Privilege, needed

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "least-privilege.md"
_NEWEST: Final = (9,)
_ROLES: Final = {
    SOURCE: "esxodus-source",
    TARGET: "esxodus-target",
    "building": "esxodus-building",
    UPGRADED: "esxodus-upgrade",
}

INTRO: Final = """\
# Least privilege

*Made from `vsphere/privileges.py` by `make docs`; edit that instead.*

Two users, one for each vCenter, that are nobody else's: no administrator, no member of any group. Each has a role of its own,
with the privileges below and what every role has (System.Anonymous, System.View, System.Read). `pulumi preview` asks both
vCenters what the users may do and names each privilege that is missing, with its object (`site.permission`), before anything is
touched.

| role | of | where to assign it |
|---|---|---|
| `esxodus-source` | the source's user | root folder of the old vCenter, with propagation |
| `esxodus-target` | the target's user | root folder of the new vCenter, with propagation |
| `esxodus-building` | the target's user, as long as the site is built | the same, in place of `esxodus-target` |
| `esxodus-upgrade` | the user of a [rolling upgrade](rolling-upgrade.md), no other | its root folder, with propagation |

Privileges marked *root* are looked for at the root folder by vCenter itself. The others are needed on the datacenter and all
below it: where the users must not reach further, assign a role with the marked ones at the root folder without propagation, and
the whole role on the datacenter with propagation. `esxodus-building` has to be at the root folder, below which it creates the
datacenter.
"""

HOW: Final = """\
## Creating them

With govc, GOVC_URL and the rest set for the vCenter in question, as an administrator:

{govc}
With PowerCLI, for any of the roles, its privileges one a line in a file named after it:

```
Connect-VIServer vc70.example
$ids = Get-Content esxodus-target.txt
New-VIRole -Name esxodus-target -Privilege (Get-VIPrivilege -Id $ids)
$root = Get-Folder -NoRecursion
New-VIPermission -Entity $root -Principal 'VSPHERE.LOCAL\\svc-migrate' -Role esxodus-target -Propagate $true
```

Once the target is built, give its user the role `esxodus-target` in place of `esxodus-building`. After the migration, remove
both users. The password of root of the new hosts (`hostPassword`) is needed only while they join.
"""


def roles() -> dict[str, tuple[Privilege, ...]]:
    """Return the privileges of each role, by its name."""
    target = needed(TARGET, _NEWEST)
    return dict(
        zip(
            _ROLES.values(),
            (needed(SOURCE, _NEWEST), target, (*target, *BUILDING), needed(UPGRADED, _NEWEST)),
            strict=True,
        )
    )


def page() -> str:
    """Return the text of docs/least-privilege.md."""
    tables = "\n".join(
        [
            _section("Both users", [one for one in needed(SOURCE, _NEWEST) if TARGET in one.sites]),
            _section("The target's user too", [one for one in needed(TARGET, _NEWEST) if SOURCE not in one.sites]),
            _section("The target's user while the site is built", BUILDING),
            _section("The user of a rolling upgrade", needed(UPGRADED, _NEWEST)),
        ]
    )
    govc = "\n".join(_govc(name, held) for name, held in roles().items())
    return f"{INTRO}\n{tables}\n{HOW.format(govc=govc)}"


def _section(heading: str, privileges: Iterable[Privilege]) -> str:
    rows = "".join(f"| `{one.id}` | {one.why} | {_remark(one)} |\n" for one in privileges)
    return f"## {heading}\n\n| privilege | to | |\n|---|---|---|\n{rows}"


def _remark(one: Privilege) -> str:
    since = f"from vCenter {'.'.join(map(str, one.since))} on" if one.since else ""
    return ", ".join(filter(None, ("root" if one.on == "root" else "", since)))


def _govc(name: str, privileges: Iterable[Privilege]) -> str:
    lines = " \\\n".join(f"  {one.id}" for one in privileges)
    grant = f"govc permissions.set -principal svc-migrate@vsphere.local -role {name} -propagate=true /"
    return f"```\ngovc role.create {name} \\\n{lines}\n{grant}\n```\n"


def main(arguments: list[str] | None = None) -> int:
    """Write the page, or with --check only compare; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.privileges", description=__doc__)
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
    print("docs: docs/least-privilege.md is as the code says")
    return 0


if __name__ == "__main__":
    sys.exit(main())
