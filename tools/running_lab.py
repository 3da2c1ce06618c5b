"""A lab that runs as long as a `with` block: started as a child, ended by closing its standard input."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib import request

from tools.parts import BIN

BINARY = BIN / "lab"


class LabError(Exception):
    """The lab did not start; the message is the lab's own."""


@dataclass(frozen=True)
class Lab:
    """A running lab. `endpoints` is the JSON line of its start: control, vcenters, hosts (lab/README.md)."""

    process: subprocess.Popen[str]
    endpoints: Mapping[str, Any]

    def get(self, path: str) -> Any:
        """Return what the control port answers to GET `path`, such as `/state`."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: object = None) -> Any:
        """Return what the control port answers to POST `path`."""
        return self._ask("POST", path, body)

    def delete(self, path: str) -> Any:
        """Return what the control port answers to DELETE `path`."""
        return self._ask("DELETE", path, None)

    @property
    def writes(self) -> int:
        """How many calls have changed anything at either vCenter."""
        return int(self.get("/counters")["writes"]["total"])

    def _ask(self, method: str, path: str, body: object) -> Any:
        data = None if body is None else json.dumps(body).encode()
        asked = request.Request(  # noqa: S310 - the scheme is the lab's own http
            str(self.endpoints["control"]) + path, data, {"Content-Type": "application/json"}, method=method
        )
        with request.urlopen(asked, timeout=30) as answer:  # noqa: S310
            text = answer.read()
        return json.loads(text) if text.strip() else None


@contextmanager
def running_lab(scenario: Path, *, any_port: bool = False, binary: Path = BINARY) -> Iterator[Lab]:
    """Run the lab with a scenario file until the block ends.

    Raises: LabError with the lab's own words, such as a port in use or a mistake in the scenario.
    """
    command = [str(binary), "--scenario", str(scenario), *(["--any-port"] if any_port else [])]
    with tempfile.TemporaryFile("w+") as said:  # a pipe that nobody reads would stop the lab once full
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True)
        except FileNotFoundError:
            raise LabError(f"{binary.name} is not built; run `make setup`") from None
        with _ending(process) as started:
            line = started.readline()
            if not line.startswith("{"):
                process.wait(10)
                said.seek(0)
                raise LabError((line + said.read()).strip() or "the lab ended without a word")
            yield Lab(process, json.loads(line))


@contextmanager
def _ending(process: subprocess.Popen[str]) -> Iterator[IO[str]]:
    """Give the child's output, and end the child with the block."""
    assert process.stdin is not None  # noqa: S101 - piped by the caller
    assert process.stdout is not None  # noqa: S101
    try:
        yield process.stdout
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
