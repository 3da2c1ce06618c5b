"""`make mutants`: bugs planted in what decides, one at a time; the tests must catch every one.

    python -m tests.mutants [WORD…]     only those whose name holds a word

Exit code 0: all were caught. Caught means that a test failed, and said so: a planted bug whose text is no longer in the code,
one that does not compile, or one with which pytest cannot begin is an error of its own.
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
    "crossing",
    "limits",
    "turns",
    "admission",
    "concern",
    "converge",
    "decide",
    "estimate",
    "evc",
    "health",
    "lease",
    "metadata",
    "method",
    "new_datastores",
    "plan",
    "schedule",
    "upgrade",
    "wave",
    "zoning",
)
"""What is asked to catch them: the unit tests with one of these in their name, and the property tests."""


@dataclass(frozen=True)
class Verdict:
    """Whether a planted bug was caught, by which test, in how many seconds; `broken` is how pytest ended otherwise."""

    bug: Planted | None
    caught: str
    broken: str
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
    if nonsense := [(bug, error) for bug in PLANTED if (error := unreadable(bug))]:
        for bug, error in nonsense:
            print(f"{bug.file}: the bug “{bug.what}” does not compile, so that no test would have caught it: {error}")
        return 2
    sane = ask(None)
    if sane.caught or sane.broken:
        print(f"the tests fail without any bug: {sane.caught or sane.broken}")
        return 2
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        verdicts = []
        for verdict in pool.map(ask, bugs):
            verdicts.append(verdict)
            said = verdict.caught or f"NOT CAUGHT {verdict.broken}".strip()
            print(f"{verdict.bug.what if verdict.bug else ''}: {said} ({verdict.seconds:.0f} s)", flush=True)
    missed = sum(not verdict.caught for verdict in verdicts)
    print(f"{len(verdicts) - missed} of {len(verdicts)} planted bugs were caught")
    return 1 if missed else 0


def planted(bug: Planted) -> str:
    """Return the text of the bug's file with the bug in it."""
    return (ROOT / bug.file).read_text().replace(bug.before, bug.after)


def unreadable(bug: Planted) -> str:
    """Return why Python cannot compile the file with the bug in it; "" where it can."""
    try:
        compile(planted(bug), bug.file, "exec")
    except SyntaxError as error:
        return str(error)
    return ""


def ask(bug: Planted | None) -> Verdict:
    """Run the tests on a copy of the code with the bug in it."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        shutil.copy(ROOT / "pyproject.toml", here)
        for name in ("bench", "components", "fabric", "migration", "tests", "tools", "vsphere"):
            shutil.copytree(ROOT / name, here / name, ignore=shutil.ignore_patterns("__pycache__"))
        if bug:
            (here / bug.file).write_text(planted(bug))
        caught, broken = failed(here)
        return Verdict(bug, caught, broken, time.monotonic() - began)


def failed(here: Path) -> tuple[str, str]:
    """Return the first test that fails there, or else how pytest ended where it did not end well; "" twice where all pass."""
    every = sorted((here / "tests" / "unit").glob("test_*.py"))
    unit = [path for path in every if any(word in path.name for word in DECIDING) and "settings" not in path.name]
    pytest = (sys.executable, "-m", "pytest", "--quiet", "-x", "--hypothesis-seed=0")
    command: Sequence[str] = (*pytest, *(str(path) for path in unit), str(here / "tests" / "property"))
    variables = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "HYPOTHESIS_STORAGE_DIRECTORY": str(here / "hypothesis")}
    ended = subprocess.run(command, cwd=here, env=variables, capture_output=True, text=True, check=False, timeout=600)
    return verdict(ended.returncode, ended.stdout, ended.stderr)


def verdict(code: int, said: str, complained: str) -> tuple[str, str]:
    """Return the same from pytest's exit code and words: 1 and a line FAILED is a test that failed, the rest is broken."""
    if code == 0:
        return "", ""
    lines = [line for line in said.splitlines() if line.startswith("FAILED")]
    if code == 1 and lines:
        return lines[0].partition(" - ")[0], ""
    return "", f"pytest ended with exit code {code}: {(said[-300:] + complained[-300:]).strip()}"


if __name__ == "__main__":
    sys.exit(main())
