"""The results of the matrix as a page of the documentation."""

from __future__ import annotations

from collections.abc import Sequence

from tests.matrix.cases import Result
from tests.matrix.engine import Round

_HEAD = """# Reliability

Written by `make matrix`, which moves one VM at a time through the lab: before every call that changes anything, in
every journey, every kind of trouble happens: to the call itself, to the reading that follows, to a vCenter, a host,
the paths to a volume or its space, or by a person's hand; and, for what happens to the site, while the call's task is
under way too. Then fresh runs follow, with nothing in hand but the settings. A case is good if one of them ends with
the VM exactly as an undisturbed run leaves it (as the lab shows it, but for ids, which of two equal hosts, how far
its guest has booted, the pool where the right to make one is refused, and what the trouble itself rightly changes:
who plugged it off, renamed it or moved it is obeyed; each such exception is a value in tests/matrix/outages.py), if
no run said that it had arrived where it had not, if nothing was done where one had rightly said so, if no run waited
half a minute for something that was over, and if the lab saw none of what must never happen.
"""
_FOOT = """
## Not covered

* Three troubles in one journey; of two, a drawn pair at each step: a run ends there, and the first call of the next is hit.
* A person takes a template out of the inventory, or a VM that we have written nothing into yet: what is found of it does not
  say where it belongs, and the run stops with `vm.unregistered` until it is registered by hand.
* Many VMs at once, hooks, health checks, metadata beyond custom attributes: they have tests of their own.
* What the lab does not model: lab/README.md.
"""


_ENGINE = """
## With the real engine

One `pulumi up` moves many VMs, and each of them is held at another call: the lab has not begun it, or does the work when nobody
listens any more. While all are held, somebody ends the run, the calls are let go, and `pulumi up` is run again. That is good if
all VMs are then as an undisturbed run leaves them, none of our processes is left, and a third run changes nothing; who asks for
an end (not: kills, or asks twice) gets it within 5 s, with nothing pending in the state. After SIGKILL of everything nobody is
left who could remove the lock of the state: `pulumi cancel` does.

| Journey | ended by | VMs held | seconds until it ended | `pulumi cancel` needed | wrong |
|---|---|---|---|---|---|
"""


def engine(rounds: Sequence[Round]) -> str:
    """Return the section about runs of the real engine that were ended, and what was wrong after each."""
    lines = [
        f"| {one.journey} | {one.ending} | {one.held} | {one.seconds:.1f} | {'yes' if one.cancelled else 'no'} "
        f"| {len(one.problems)} |\n"
        for one in rounds
    ]
    bad = [f"* {one.journey}, {one.ending}: {'; '.join(one.problems)}\n" for one in rounds if one.problems]
    return "".join([_ENGINE, *lines, *(["\n", *bad] if bad else [])])


def report(results: Sequence[Result], rounds: Sequence[Round]) -> str:
    """Return the page: how many cases were good, journey by step and by trouble, and each that was not."""
    bad = [one for one in results if one.problems]
    total = f"\n{len(results)} cases, {len(bad)} of them not good.\n"
    return "".join(
        [
            _HEAD,
            total,
            _table("Trouble", [(one.trouble, one) for one in results]),
            *(
                f"\n## {journey[0].upper()}{journey[1:]}\n"
                + _table("Call", [(one.step, one) for one in results if one.journey == journey])
                for journey in dict.fromkeys(one.journey for one in results)
            ),
            "\n## Not good\n\n" if bad else "",
            *(f"* {one.journey}, {one.step}, {one.trouble}: {'; '.join(one.problems)}\n" for one in bad),
            engine(rounds),
            _FOOT,
        ]
    )


def _table(what: str, rows: Sequence[tuple[str, Result]]) -> str:
    names = dict.fromkeys(name for name, _ in rows)
    lines = [f"\n| {what} | cases | arrived at once | with the next run | not good |\n|---|---|---|---|---|\n"]
    order = sorted(names, key=lambda name: int(name.split()[0]) if name.split()[0].isdigit() else 0)
    for name in order:
        found = [one for key, one in rows if key == name]
        bad = sum(bool(one.problems) for one in found)
        once = sum(one.first == "arrived" and not one.problems for one in found)
        lines.append(f"| {name} | {len(found)} | {once} | {len(found) - once - bad} | {bad} |\n")
    return "".join(lines)
