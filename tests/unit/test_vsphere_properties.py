from __future__ import annotations

from typing import Any

import pytest
from pyVmomi import VmomiSupport, vim

from vsphere import links, properties

KNOWS: Any = vars(VmomiSupport)["IsChildVersion"]

PATHS = [
    *((kind, path) for kind, paths in properties.FOLLOWED.items() for path in paths),
    *((vim.Task, path) for path in properties.TASK),
    (vim.CustomFieldsManager, properties.FIELDS),
    (vim.TaskManager, "recentTask"),
    # read on their own
    *((vim.HostSystem, path) for path in links.NETWORK),
    (vim.ServiceInstance, "capability.supportedEVCMode"),
    (vim.AuthorizationManager, "roleList"),
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


NEWER = [(kind, path) for kind, paths in properties.SINCE_6_5.items() for path in paths]


@pytest.mark.parametrize(("kind", "path"), NEWER, ids=lambda value: getattr(value, "__name__", value))
def test_what_only_a_newer_vcenter_has_is_asked_of_no_older_one(kind: type, path: str) -> None:
    for version, known in (("vim.version.version10", False), ("vim.version.version11", True)):
        holder, found = kind, True
        for part in path.split("."):
            info = holder._GetPropertyInfo(part)  # type: ignore[attr-defined]
            found = found and KNOWS(version, info.version)
            holder = info.type
        assert found is known
    asked: Any = kind
    assert path not in properties.followed("6.0")[asked]
    for api in ("6.5", "6.7.3", "7.0.3.0", "8.0.2.0"):
        assert path in properties.followed(api)[asked]


def test_nothing_that_changes_all_the_time_is_followed() -> None:
    every = {path for paths in properties.FOLLOWED.values() for path in paths}
    assert not {path for path in every if "quickStats" in path or path in ("guest", "config", "runtime", "summary")}
