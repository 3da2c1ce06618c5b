"""The lock that a killed CLI leaves beside a state in files: what it had started removes it, for nobody else will.

Pulumi's CLI writes `<backend>/.pulumi/locks/…/<id>.json` with its process, user, host and time, and removes it when it ends.
After SIGKILL it stays, and every later run is refused until somebody says `pulumi cancel` (measured; pkg/backend/diy).
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from components.providers.ancestry import PROC


def remove(ancestors: Collection[int], environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Remove the locks of those of our ancestors that have ended on this machine, and return what was removed.

    Nothing where the state is not in files, or where there is any doubt whose lock it is: then `pulumi cancel` is the way.
    """
    backend = _folder(environment)
    if backend is None:
        return []
    removed = []
    for file, lock in _locks(backend):
        pid = lock.get("pid")
        if lock.get("hostname") == socket.gethostname() and pid in ancestors and not (PROC / str(pid)).exists():
            file.unlink(missing_ok=True)
            removed.append(file)
    return removed


def _locks(backend: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for file in sorted((backend / ".pulumi" / "locks").glob("**/*.json")):
        try:
            lock = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(lock, dict):
            yield file, lock


def _folder(environment: Mapping[str, str]) -> Path | None:
    """Return the folder of the backend that the CLI uses, None where it is not one on this machine."""
    url = environment.get("PULUMI_BACKEND_URL") or _logged_in(environment)
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc not in ("", "~", "localhost") or not PROC.is_dir():
        return None
    path = unquote(parts.path)
    home = environment.get("HOME", "")
    return Path(home + path) if parts.netloc == "~" and home else Path(path) if path.startswith("/") else None


def _logged_in(environment: Mapping[str, str]) -> str:
    """Return the backend that `pulumi login` has chosen."""
    home = environment.get("PULUMI_HOME") or f"{environment.get('HOME', '')}/.pulumi"
    try:
        credentials = json.loads((Path(home) / "credentials.json").read_text(encoding="utf-8"))
        return str(credentials["current"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
