"""Settings of the new datastores, and what is wrong with them when several keys are seen together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from components.settings_forms import Host, Model, Name, StoreName

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_OF_VMFS: Final = ("disk",)
_OF_NFS: Final = ("servers", "path", "version", "security")
_NEEDED: Final = {"vmfs": ("disk",), "nfs": ("servers", "path")}


def _number(value: object) -> object:
    """Let a version be written without quotes: 3, or 4.1, which YAML takes for numbers."""
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else value


class Datastore(Model):
    """A new datastore: `vmfs` on a blank disk of the new array, or the `nfs` export of a server.

    NFS 4.1 takes several addresses of its one server, and `security`. `cluster` is the datastore cluster that it is put in.
    """

    name: StoreName
    kind: Literal["vmfs", "nfs"]
    disk: Annotated[str, Field(pattern=r"^(naa|eui|t10)\.\S+$")] | None = None
    servers: tuple[Host, ...] = ()
    path: Annotated[str, Field(pattern=r"^/\S*$")] | None = None
    version: Annotated[Literal["3", "4.1"], BeforeValidator(_number)] = "3"
    security: Literal["AUTH_SYS", "SEC_KRB5", "SEC_KRB5I"] | None = None
    cluster: Name | None = None


class DatastoreCluster(Model):
    """A datastore cluster. `storage_drs`: vCenter recommends moves in it (`manual`), makes them (`automatic`), or neither."""

    name: Name
    storage_drs: Annotated[
        Literal["off", "manual", "automatic"], BeforeValidator(lambda value: "off" if value is False else value)
    ] = "manual"


def problems(path: str, datastores: Sequence[tuple[int, Mapping[str, Any]]], clusters: Sequence[str]) -> list[str]:
    """Return what does not go together in plain data; what does not have the form that it should have is passed over."""
    found = [problem for number, one in datastores for problem in _of_one(f"{path}[{number}]", one, clusters)]
    exports: dict[tuple[str, str], str] = {}
    kinds: dict[str, str] = {}
    for number, one in datastores:
        servers = one.get("servers")
        for server in servers if isinstance(servers, list) else ():
            export = (str(server).lower(), str(one.get("path")).rstrip("/"))
            other = exports.setdefault(export, str(one.get("name")))
            if other != one.get("name"):
                found.append(f"{path}[{number}]: {server}:{one.get('path')} is also what {other} is mounted from")
        cluster, kind = one.get("cluster"), one.get("kind")
        if isinstance(cluster, str) and isinstance(kind, str) and kinds.setdefault(cluster, kind) != kind:
            # vSphere resource management, GUID-34A10B42: NFS and VMFS cannot be combined in a datastore cluster.
            found.append(
                f"{path}[{number}].cluster: {cluster} has {kinds[cluster]} datastores; one with {kind} needs its own"
            )
    return found


def _of_one(path: str, one: Mapping[str, Any], clusters: Sequence[str]) -> Iterator[str]:
    kind, version = one.get("kind"), str(_number(one.get("version", "3")))
    if not isinstance(kind, str) or kind not in _NEEDED:
        return
    yield from (
        f"{path}.{key}: missing; a datastore of kind {kind} needs it" for key in _NEEDED[kind] if not one.get(key)
    )
    for key in _OF_NFS if kind == "vmfs" else _OF_VMFS:
        if one.get(key) is not None:
            yield f"{path}.{key}: a datastore of kind {kind} has none"
    cluster, servers = one.get("cluster"), one.get("servers")
    if isinstance(cluster, str) and cluster not in clusters:
        yield f"{path}.cluster: {cluster} is no cluster of esxodus:target.datastoreClusters"
    if kind == "nfs" and version == "3":
        if isinstance(servers, list) and len(servers) > 1:
            yield f'{path}.servers: NFS 3 takes one server; several addresses of one server need version: "4.1"'
        if one.get("security") is not None:
            yield f'{path}.security: NFS 3 has none; it needs version: "4.1"'
    if kind == "nfs" and version == "4.1" and isinstance(cluster, str):
        # vSphere storage, NFS protocols and vSphere solutions: no Storage DRS with NFS 4.1.
        yield f"{path}.cluster: a datastore of NFS 4.1 cannot be in a datastore cluster: Storage DRS does not support it"
