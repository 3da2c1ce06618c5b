"""`make matrix`: every step of every journey times every trouble; writes docs/reliability.md. Exit code 0: nothing was wrong.

python -m tests.matrix [WORD…]     only the journeys, steps and troubles whose names hold a word; writes nothing
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from tests.matrix.cases import Result, ground
from tests.matrix.engine import Round
from tests.matrix.journeys import JOURNEYS
from tests.matrix.outages import Call
from tests.matrix.report import report
from tests.matrix.trouble import CALLS, DIES_AFTER, DIES_BEFORE, STOPPED_AFTER, TROUBLES, Trouble
from tools.parts import ROOT

PAGE = ROOT / "docs" / "reliability.md"
WORKERS = 5
"""Processes at work at once: most of a case is waiting."""
ENDINGS = (DIES_BEFORE, DIES_AFTER, STOPPED_AFTER)
PAIRS = 2
"""Pairs of troubles at each step, drawn once and for all: a run ends there, and the first call of the next one is hit."""


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="make matrix", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("words", nargs="*")
    parser.add_argument("--journey", type=int, help="only this one, in this process; a line of JSON for each case")
    parser.add_argument("--part", default="0/1", help="with --journey: every N-th case, written K/N")
    asked = parser.parse_args()
    if asked.journey is not None:
        for result in _journey(asked.journey, asked.part, asked.words):
            print(json.dumps(asdict(result)), flush=True)
        return 0
    began = time.monotonic()
    parts = [(journey, f"{part}/{WORKERS}") for journey in range(len(JOURNEYS)) for part in range(WORKERS)]
    with ThreadPoolExecutor(WORKERS) as pool:
        results = [
            one for found in pool.map(lambda part: _started(part[0], part[1], asked.words), parts) for one in found
        ]
    rounds: list[Round] = []
    if not asked.words:
        # After the others, on a machine that has nothing else to do: how soon a run ends is measured.
        with ThreadPoolExecutor(2) as pool:
            rounds = [one for found in pool.map(_ended, ([], ["--live"])) for one in found]
        PAGE.write_text(report(results, rounds), encoding="utf-8")
    bad = [one for one in results if one.problems]
    for one in bad:
        print(f"{one.journey} · {one.step} · {one.trouble} ({one.first}): {'; '.join(one.problems)}")
    wrong = [one for one in rounds if one.problems]
    for ended in wrong:
        print(f"{ended.journey} · {ended.ending}: {'; '.join(ended.problems)}")
    print(
        f"{len(results)} cases, {len(bad)} with a problem; {len(rounds)} runs of the engine, {len(wrong)} with a problem"
    )
    print(f"{time.monotonic() - began:.0f} s")
    return 1 if bad or wrong or not results else 0


def _ended(options: Sequence[str]) -> list[Round]:
    command = [sys.executable, "-m", "tests.matrix.engine", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = [Round(**json.loads(line)) for line in done.stdout.splitlines()]
    if done.returncode:
        found.append(Round(" ".join(options), "broken", 0, 0.0, problems=[done.stderr.strip()[-2000:] or "no word"]))
    return found


def _started(journey: int, part: str, words: Sequence[str]) -> list[Result]:
    command = [sys.executable, "-m", "tests.matrix", "--journey", str(journey), "--part", part, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = [Result(**json.loads(line)) for line in done.stdout.splitlines()]
    if done.returncode:
        name = JOURNEYS[journey].name
        found.append(Result(name, "", f"part {part}", "broken", 0, [done.stderr.strip()[-2000:] or "no word"]))
    return found


def _journey(number: int, part: str, words: Sequence[str]) -> Iterator[Result]:
    """Do every N-th case of a journey."""
    journey = JOURNEYS[number]
    turn, of = (int(one) for one in part.split("/"))
    with tempfile.TemporaryDirectory() as folder, ground(Path(folder), live=journey.live) as here:
        calls, end = here.undisturbed(journey)
        chosen = random.Random(number)  # noqa: S311 - the same pairs each time
        cases: list[tuple[int, Call, Trouble, Trouble | None]] = []
        for at, call in enumerate(calls):
            cases += [(at, call, trouble, None) for trouble in TROUBLES if trouble.fits(call)]
            cases += [(at, call, chosen.choice(ENDINGS), chosen.choice(CALLS)) for _ in range(PAIRS)]
        for at, call, trouble, second in cases[turn::of]:
            step = f"{at + 1} {call[0]} {call[1]}"
            name = f"{journey.name} · {step} · {trouble.name}" + (f", then {second.name}" if second else "")
            if all(word in name for word in words) and (result := here.case(journey, at, step, trouble, end, second)):
                yield result


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    sys.exit(main())
