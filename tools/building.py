"""Builds things once, side by side, and says what is under way.

Standard library only: it runs before the virtual environment exists.
"""

from __future__ import annotations

import fcntl
import math
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

_WORTH_SAYING = 1.0  # seconds: what is quicker is done in silence
_SAY_AGAIN = 30.0  # seconds between two lines about the same step, where no line can be rewritten
_LINE = 110  # characters
_UNREACHABLE = re.compile(
    r"dial tcp|no such host|connection refused|i/o timeout|handshake timeout|proxyconnect|name resolution"
    r"|NewConnectionError|ConnectTimeoutError|Max retries exceeded|network is unreachable"
    r"|\b(403|404|407|410|50[0-4]) [A-Z]",
    re.IGNORECASE,
)
# What `go build -v` and pip write as they go along; what remains is the failure.
_CHATTER = re.compile(r"(go: downloading .*|[\w.~-]+(/[\w.~-]+)*|(Collecting|Downloading|Using cached) .*)?")


class ToolchainError(Exception):
    """Something could not be prepared: names the thing, the reason and the way out."""

    def __init__(self, thing: str, reason: str, way_out: str) -> None:
        super().__init__(f"{thing}: {reason}\n  way out: {way_out}")


class CommandError(Exception):
    """A command could not be started or has failed; `output` is what it wrote."""

    def __init__(self, output: str) -> None:
        super().__init__(output)
        self.output = output

    def unreachable(self) -> str:
        """Return the line that tells of a server out of reach, or nothing."""
        lines = [line.strip() for line in self.output.splitlines() if _UNREACHABLE.search(line)]
        return lines[-1] if lines else ""

    def gist(self) -> str:
        """Return the last lines that are not mere progress."""
        lines = [line for line in self.output.splitlines() if not _CHATTER.fullmatch(line.strip())]
        return "\n".join(lines[-20:])


@dataclass(frozen=True)
class Part:
    """Something to be made once: `make` does it and returns the stamp that is kept as a proof."""

    name: str
    title: str
    fresh: bool
    make: Callable[[Step], str]


class Step:
    """A part in the making: runs commands and remembers their last words."""

    def __init__(self, part: Part, log: Path, halt: threading.Event) -> None:
        self.title = part.title
        self.latest = ""
        self.log = log
        self._halt = halt
        self._process: subprocess.Popen[str] | None = None
        self._started = time.monotonic()
        self._ended: float | None = None

    @property
    def seconds(self) -> float:
        """How long the step has been under way, or took."""
        return (self._ended or time.monotonic()) - self._started

    @property
    def ended(self) -> bool:
        """Whether the part is made."""
        return self._ended is not None

    def run(self, *command: str | Path, cwd: Path, env: Mapping[str, str]) -> str:
        """Run a command to its end and return what it wrote.

        Raises:
            CommandError: the command cannot be started, has failed or was halted.
        """
        if self._halt.is_set():
            raise CommandError("halted")
        try:
            process = subprocess.Popen(
                [str(word) for word in command],
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise CommandError(str(error)) from error
        self._process = process
        if self._halt.is_set():  # it was, between the first look and the start
            process.terminate()
        output: list[str] = []
        with process, self.log.open("a", encoding="utf-8") as log:
            for line in process.stdout or ():
                output.append(line)
                log.write(line)
                self.latest = line.strip() or self.latest
        if process.returncode:
            raise CommandError("".join(output) or f"{command[0]} ended with {process.returncode}")
        return "".join(output)

    def end(self) -> None:
        """Note that the part is made."""
        self._ended = time.monotonic()

    def halt(self) -> None:
        """End the command that runs now, if any."""
        if self._process and self._process.poll() is None:
            self._process.terminate()


class Workshop:
    """Makes parts and keeps a stamp for each; a killed run leaves no stamp, hence no half part."""

    def __init__(self, folder: Path, out: TextIO) -> None:
        self._stamps = folder / "stamps"
        self._logs = folder / "logs"
        self._out = out
        self._halt = threading.Event()
        self._steps: list[Step] = []

    def stamp(self, name: str) -> str:
        """Return what the last successful `make` of a part returned, or nothing."""
        path = self._stamps / name
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def build(self, *lanes: Sequence[Part]) -> None:
        """Make what is not fresh, each lane in order and the lanes side by side.

        The first failure ends everything else that runs; what was finished before stays.

        Raises:
            ToolchainError: a part could not be made.
        """
        work = [stale for lane in lanes if (stale := [part for part in lane if not part.fresh])]
        if not work:
            return
        self._stamps.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(exist_ok=True)
        board = _Board(self._out)
        with ThreadPoolExecutor(len(work)) as pool:
            running = {pool.submit(self._make, lane) for lane in work}
            try:
                while running:
                    done, running = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
                    board.show(self._steps)
                    for lane in done:
                        lane.result()
            except BaseException:
                self._halt.set()
                for step in self._steps:
                    step.halt()
                raise
            finally:
                board.wipe()

    def _make(self, lane: Sequence[Part]) -> None:
        for part in lane:
            log = self._logs / f"{part.name}.log"
            log.unlink(missing_ok=True)
            stamp = self._stamps / part.name
            stamp.unlink(missing_ok=True)
            step = Step(part, log, self._halt)
            self._steps.append(step)
            unproved = stamp.with_suffix(".new")
            unproved.write_text(part.make(step), encoding="utf-8")
            unproved.replace(stamp)
            step.end()


class _Board:
    """Tells how far the steps are: one rewritten line on a terminal, elsewhere a line now and then."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._rewrites = out.isatty()
        self._told: dict[Step, float] = {}

    def show(self, steps: Sequence[Step]) -> None:
        """Say what has ended since the last call and what is under way."""
        for step in [step for step in steps if step.ended and self._told.get(step, 0) < math.inf]:
            self._told[step] = math.inf
            if step.seconds >= _WORTH_SAYING:
                self.wipe()
                self._say(f"{step.seconds:5.0f} s  {step.title}: ready")
        under_way = [step for step in steps if not step.ended and step.seconds >= _WORTH_SAYING]
        if self._rewrites and under_way:
            width = shutil.get_terminal_size().columns // len(under_way) - 4
            said = [f"{s.seconds:5.0f} s  {s.title}: {s.latest}"[:width] for s in under_way]
            self._out.write("\r\x1b[K" + "  ".join(said))
            self._out.flush()
        for step in [] if self._rewrites else under_way:
            if step.seconds >= self._told.get(step, 0):
                self._told[step] = step.seconds + _SAY_AGAIN
                self._say(f"{step.seconds:5.0f} s  {step.title}: {step.latest}"[:_LINE])

    def wipe(self) -> None:
        """Clear the line that is rewritten."""
        if self._rewrites:
            self._out.write("\r\x1b[K")

    def _say(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()


@contextmanager
def exclusive(folder: Path, out: TextIO) -> Iterator[None]:
    """Keep every other process out of `folder` meanwhile; say so if one has to be waited for."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            out.write("waiting for another process that prepares the toolchain\n")
            out.flush()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
