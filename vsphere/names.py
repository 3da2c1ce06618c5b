"""Names and paths as vSphere writes them, and as people do. Pure."""

from __future__ import annotations

import re
from typing import Final

from migration.model import File

_ESCAPES: Final = {"%": "%25", "/": "%2f", "\\": "%5c"}
_ESCAPED_SLASH: Final = re.compile(r"%((?:25)*2f)")
_PATH: Final = re.compile(r"^\[(?P<datastore>[^\]]*)\] ?(?P<path>.*)$")
_MOUNTED: Final = re.compile(r"^(?:\[\] ?)?/vmfs/volumes/(?P<volume>[^/]+)/(?P<path>.+)$")


def decoded(name: str) -> str:
    """Return the name as people write it: vSphere escapes percent signs and slashes of either kind."""
    if "%" not in name:
        return name
    for plain, escape in (*list(_ESCAPES.items())[1:], ("%", "%25")):
        name = re.sub(escape, plain.replace("\\", "\\\\"), name, flags=re.IGNORECASE)
    return name


def encoded(name: str) -> str:
    """Return the name as vSphere stores it."""
    for plain, escape in _ESCAPES.items():
        name = name.replace(plain, escape)
    return name


def segment(name: str) -> str:
    """Return an object's name as one segment of a path: decoded, but for a slash in it, which stays `%2f`.

    A name in which people wrote `%2f` has `%252f` in its place, so that no two names become one segment.
    """
    return _ESCAPED_SLASH.sub(r"%25\1", decoded(name)).replace("/", "%2f")


def stored_segment(part: str) -> str:
    """Return the name that vSphere stores for one segment of a path."""
    return encoded(_ESCAPED_SLASH.sub(lambda found: "%" + found[1][2:] if found[1] != "2f" else "/", part))


def split_path(text: str) -> tuple[str, str]:
    """Split "[datastore] folder/file" into the datastore's name and the path.

    Raises: ValueError where it is no such path.
    """
    match = _PATH.match(text)
    if match is None:
        raise ValueError(f"{text!r} is no datastore path")
    return match["datastore"], match["path"].lstrip("/")


def datastore_path(datastore: str, path: str) -> str:
    """Return "[datastore] folder/file"."""
    return f"[{datastore}] {path}"


def mounted_path(text: str) -> tuple[str, str] | None:
    """Split "/vmfs/volumes/<uuid or name>/folder/file", the form of an inaccessible VM's path; None for another form.

    vCenter may write it with the name of a datastore that it does not know before it: "[] /vmfs/volumes/…".
    """
    match = _MOUNTED.match(text)
    return (match["volume"], match["path"]) if match else None


def numbers(version: str) -> tuple[int, ...]:
    """Return (7, 0, 3) for "7.0.3"."""
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def beside(vmx: File, name: str) -> tuple[str, str]:
    """Return where a file that a .vmx names lies, as (volume, path).

    The volume is an id where the name is relative to the .vmx; else it is the name or UUID that an ESXi path bears.
    """
    mounted = _MOUNTED.match(name)
    if mounted:
        return mounted["volume"], mounted["path"]
    folder, slash, _ = vmx.path.rpartition("/")
    return vmx.volume, f"{folder}{slash}{name}"
