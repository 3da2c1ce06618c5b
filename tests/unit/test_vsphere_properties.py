from __future__ import annotations

from typing import Any

import pytest
from pyVmomi import VmomiSupport, vim

from vsphere import properties

KNOWS: Any = vars(VmomiSupport)["IsChildVersion"]

PATHS = [
    *((kind, path) for kind, paths in properties.FOLLOWED.items() for path in paths),
    *((vim.Task, path) for path in properties.TASK),
    (vim.CustomFieldsManager, properties.FIELDS),
    (vim.TaskManager, "recentTask"),
    # read on their own
    (vim.HostSystem, "summary.maxEVCModeKey"),
    (vim.HostSystem, "configManager.storageSystem"),
    (vim.host.StorageSystem, "storageDeviceInfo.scsiLun"),
    (vim.cluster.EVCManager, "evcState"),
]


@pytest.mark.parametrize("version", ["vim.version.version10", "vim.version.v7_0_3_0"])
@pytest.mark.parametrize(("kind", "path"), PATHS, ids=lambda value: getattr(value, "__name__", value))
def test_each_path_exists_in_the_api_of_both_sites(kind: type, path: str, version: str) -> None:
    holder = kind
    for part in path.split("."):
        info = holder._GetPropertyInfo(part)  # type: ignore[attr-defined]
        assert KNOWS(version, info.version), f"{part} came with {info.version}"
        holder = info.type


def test_nothing_that_changes_all_the_time_is_followed() -> None:
    every = {path for paths in properties.FOLLOWED.values() for path in paths}
    assert not {path for path in every if "quickStats" in path or path in ("guest", "config", "runtime", "summary")}
