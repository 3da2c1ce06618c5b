"""What no line of ours may call: nothing here can destroy a VM, or format or resignature a volume."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FORBIDDEN = {
    # by the name on the wire and by the one that pyVmomi gives it
    "Destroy", "Destroy_Task", "UnregisterAndDestroy", "UnregisterAndDestroy_Task",
    "ResolveMultipleUnresolvedVmfsVolumes", "ResolveMultipleUnresolvedVmfsVolumesEx_Task",
    "ResolveMultipleUnresolvedVmfsVolumesEx", "ResignatureUnresolvedVmfsVolume", "ResignatureUnresolvedVmfsVolume_Task",
    "ForceMountUnresolvedVmfsVolume", "RemoveDatastore", "RemoveDatastoreEx", "RemoveDatastoreEx_Task", "DestroyDatastore",
    "CreateVmfsDatastore", "ExtendVmfsDatastore", "ExpandVmfsDatastore", "FormatVmfs", "UpdateDiskPartitions",
    "DeleteDatastoreFile_Task", "DeleteDatastoreFile", "DeleteFile", "DeleteDirectory", "MoveDatastoreFile_Task",
    "DeleteVirtualDisk_Task", "DeleteVirtualDisk", "EraseVirtualDisk", "ZeroFillVirtualDisk", "DeleteVmfsVolumeState",
    "UnmountVmfsVolume", "DetachScsiLun", "ResetVM_Task", "Terminate", "TerminateVM",
}  # fmt: skip

ONLY_IN = {
    # reversible, and only for what is retired; of an NFS mount the third, which the guard tells from VMFS
    "host_storage.py": {"UnmountVmfsVolume", "DetachScsiLun", "RemoveDatastore"},
    # the guard names what it lets through (tests/unit/test_vsphere_guard.py)
    "guard.py": {"UnmountVmfsVolume", "DetachScsiLun", "RemoveDatastore"},
}
"""Which of them one module may have a word of."""


def sources() -> Iterator[Path]:
    for package in ("components", "fabric", "migration", "vsphere", "esxodus"):
        yield from sorted((ROOT / package).rglob("*.py"))
    yield ROOT / "__main__.py"
    yield ROOT / "__upgrade__.py"


def words(tree: ast.AST) -> Iterator[str]:
    """Yield every name, attribute and whole string in the code."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name) | ast.Name(id=name):
                yield name
            case ast.Constant(value=str(text)):
                yield text
            case _:
                pass


@pytest.mark.parametrize("source", [path for path in sources() if path.is_file()], ids=lambda path: path.name)
def test_no_call_that_could_lose_a_vm(source: Path) -> None:
    allowed = ONLY_IN.get(source.name, set()) if source.parent.name == "vsphere" else set()
    assert FORBIDDEN & set(words(ast.parse(source.read_text(encoding="utf-8")))) <= allowed


def test_only_vsphere_knows_pyvmomi() -> None:
    for source in sources():
        if source.is_file() and source.parent.name != "vsphere":
            assert "pyVmomi" not in set(words(ast.parse(source.read_text(encoding="utf-8")))), source
