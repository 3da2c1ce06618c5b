"""Which engine and which plugin to use, given what there is. Pure, but for a look at the folders of PATH."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

LANGUAGE_HOST = "pulumi-language-python"


@dataclass(frozen=True)
class Engine:
    """The `pulumi` to use; `remark` says which other one was passed over, and why."""

    pulumi: Path
    official: bool
    remark: str = ""


@dataclass(frozen=True)
class Plugin:
    """A vSphere plugin: the release, or a build of `sources` (a hash) after a `refusal` of the release."""

    version: str
    sources: str = ""
    refusal: str = ""

    @property
    def released(self) -> bool:
        """Whether it is the release."""
        return not self.sources

    def serves(self, engine: Engine, buildable: Plugin) -> bool:
        """Whether it can stay where `buildable` is what would be built today.

        A build stays until its sources change; beside an official engine only if the release was tried first.
        """
        if self.version != buildable.version or self.released:
            return self.version == buildable.version
        return self.sources == buildable.sources and (not engine.official or bool(self.refusal))


def choose_engine(path: str, ours: Path) -> Engine:
    """Choose the first `pulumi` on `path` that has its language host beside it, else the one in `ours`."""
    remark = ""
    for folder in path.split(os.pathsep):
        pulumi = shutil.which("pulumi", path=folder) if folder else None
        if not pulumi or Path(folder).resolve() == ours.resolve():
            continue
        # A package manager may link the engine alone into a folder of PATH.
        beside = os.pathsep.join((folder, str(Path(pulumi).resolve().parent)))
        if shutil.which(LANGUAGE_HOST, path=beside):
            return Engine(Path(pulumi), official=True)
        remark = remark or f"{pulumi} has no {LANGUAGE_HOST} beside it"
    return Engine(ours / "pulumi", official=False, remark=remark)
