"""`make mutants`: bugs planted in what decides, one at a time; the tests must catch every one.

    python -m tests.mutants [WORD…]     only those whose name holds a word

Exit code 0: all were caught. A planted bug whose text is no longer in the code is an error too.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.planted import PLANTED, Planted

ROOT = Path(__file__).resolve().parent.parent
DECIDING = (
    "admission",
    "concern",
    "converge",
    "decide",
    "estimate",
    "health",
    "lease",
    "metadata",
    "method",
    "plan",
    "schedule",
    "wave",
)
"""What is asked to catch them: the unit tests with one of these in their name, and the property tests."""


@dataclass(frozen=True)
class Verdict:
    """Whether a planted bug was caught, by which test, in how many seconds."""

    bug: Planted | None
    caught: str
    seconds: float


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="make mutants", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("words", nargs="*", help="only the bugs whose name holds one of these words")
    words = parser.parse_args().words
    bugs = [bug for bug in PLANTED if not words or any(word in bug.what for word in words)]
    if lost := [bug for bug in PLANTED if (ROOT / bug.file).read_text().count(bug.before) != 1]:
        for bug in lost:
            print(
                f"{bug.file}: this is not there exactly once, so the bug “{bug.what}” cannot be planted: {bug.before!r}"
            )
        return 2
    sane = ask(None)
    if sane.caught:
        print(f"the tests fail without any bug: {sane.caught}")
        return 2
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        verdicts = []
        for verdict in pool.map(ask, bugs):
            verdicts.append(verdict)
            said = verdict.caught or "NOT CAUGHT"
            print(f"{verdict.bug.what if verdict.bug else ''}: {said} ({verdict.seconds:.0f} s)", flush=True)
    missed = sum(not verdict.caught for verdict in verdicts)
    print(f"{len(verdicts) - missed} of {len(verdicts)} planted bugs were caught")
    return 1 if missed else 0


def ask(bug: Planted | None) -> Verdict:
    """Run the tests on a copy of the code with the bug in it."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        shutil.copy(ROOT / "pyproject.toml", here)
        for name in ("migration", "tests"):
            shutil.copytree(ROOT / name, here / name, ignore=shutil.ignore_patterns("__pycache__"))
        if bug:
            file = here / bug.file
            file.write_text(file.read_text().replace(bug.before, bug.after))
        return Verdict(bug, failed(here), time.monotonic() - began)


def failed(here: Path) -> str:
    """Return the first test that fails there; "" where all pass."""
    unit = [path for path in sorted((here / "tests" / "unit").iterdir()) if any(word in path.name for word in DECIDING)]
    pytest = (sys.executable, "-m", "pytest", "--quiet", "-x", "--hypothesis-seed=0")
    command: Sequence[str] = (*pytest, *(str(path) for path in unit), str(here / "tests" / "property"))
    variables = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "HYPOTHESIS_STORAGE_DIRECTORY": str(here / "hypothesis")}
    ended = subprocess.run(command, cwd=here, env=variables, capture_output=True, text=True, check=False, timeout=600)
    if ended.returncode == 0:
        return ""
    lines = [line for line in ended.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return lines[0].partition(" - ")[0] if lines else ended.stdout[-300:] + ended.stderr[-300:]


if __name__ == "__main__":
    sys.exit(main())
