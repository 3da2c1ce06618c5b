"""The EVC mode of the new cluster as the settings and both sites make it: for the cluster itself, and for who previews a VM."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

from components.providers import access
from migration import evc
from migration.errors import Blocked, MigrationError
from migration.evc_modes import covered
from vsphere import evc as vsphere_evc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migration.evc import Choice, Evc, Traveller

_lock: Final = threading.Lock()
_coming: Final[list[frozenset[str]]] = []


def built(cluster: str) -> Evc | None:
    """Return the cluster's EVC as it is; None where the cluster is not built yet, or no host has joined it.

    Raises: MigrationError.
    """
    try:
        state = vsphere_evc.read(access.site("target"), cluster)
    except Blocked:
        return None
    return state if state.hosts else None


def choose(state: Evc, setting: str) -> Choice:
    """Return the mode that the cluster should have, and why; for `auto` every VM of the waves is looked at.

    Raises: Blocked where there is no such mode; MigrationError.
    """
    return evc.choose(state, setting, list(_travellers()) if setting == evc.AUTO else ())


def coming() -> frozenset[str]:
    """Return every mode that a VM may need once the declared one is in force, asked once in a preview; none: not known yet."""
    with _lock:
        if not _coming:
            _coming.append(frozenset())
            with contextlib.suppress(MigrationError):  # the cluster's own preview says what is wrong
                cluster = access.read().target.cluster
                if cluster.evc is not None and (state := built(cluster.name)):
                    _coming[0] = covered(choose(state, cluster.evc).key, state.modes)
        return _coming[0]


def forget() -> None:
    """Begin anew; a process that serves one preview never needs to."""
    with _lock:
        _coming.clear()


def _travellers() -> Iterator[Traveller]:
    sites = access.sites()
    for _, spec in access.read().specs():
        seen, _ = sites.observe(spec.identity, look_adrift=False)
        if found := evc.traveller(spec, seen):
            yield found
