"""The plain data of a stack's settings, looked into before it is known to have the form that it should have."""

from __future__ import annotations

import difflib
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_SHOWN: Final = 12
"""How many of the names that are known are shown where none is near to what was written."""


def configured(project: str) -> dict[str, Any]:
    """Return the configuration of the running Pulumi program by key, without the project's prefix."""
    from pulumi.runtime import config  # a program only: providers and tests read plain mappings

    found = {**config.get_config_env(), **config.CONFIG.get()}
    prefix = f"{project}:"
    return {key.removeprefix(prefix): value for key, value in found.items() if key.startswith(prefix)}


def keys(value: object) -> Mapping[str, Any]:
    """Return it where it has keys; nothing of what has not."""
    return value if isinstance(value, dict) else {}


def texts(value: object) -> list[str]:
    """Return the texts in a list."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def names(value: object) -> list[str]:
    """Return the names in a list whose entries are names, or have one."""
    listed = value if isinstance(value, list) else []
    return texts([item.get("name") if isinstance(item, dict) else item for item in listed])


def entries(value: object) -> list[tuple[int, Mapping[str, Any]]]:
    """Return the entries of a list that have keys, each with its number."""
    return (
        [(number, item) for number, item in enumerate(value) if isinstance(item, dict)]
        if isinstance(value, list)
        else []
    )


def named(entries: Iterable[tuple[int, Mapping[str, Any]]], key: str = "name") -> list[str]:
    """Return what the entries have under the key, as far as it is text."""
    return texts([entry.get(key) for _, entry in entries])


def twice(path: str, what: str, values: Iterable[str]) -> list[str]:
    """Return the problem of each value that is there more than once."""
    return [f"{path}: {what} {value} is there {count} times" for value, count in Counter(values).items() if count > 1]


def unknown(path: str, what: str, name: object, known: Collection[str]) -> list[str]:
    """Return the problem of a name that is not among those that are known; none of what is no text."""
    if not isinstance(name, str) or name in known:
        return []
    near = difflib.get_close_matches(name, sorted(known), 1, 0.5)
    some = [*sorted(known)[:_SHOWN], *(["…"] if len(known) > _SHOWN else [])]
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(some) or 'none'}"
    return [f"{path}: {name} is no {what}; {hint}"]


def verified(path: str, vcenter: object) -> list[str]:
    """Return what is wrong with how a vCenter or a switch is verified: by exactly one of thumbprint and caFile."""
    given = [key for key in ("thumbprint", "caFile") if keys(vcenter).get(key)]
    if len(given) == 1 or not isinstance(vcenter, dict):
        return []
    return [f"{path}: {'both' if given else 'neither'} of thumbprint and caFile; exactly one says how TLS is verified"]
