"""Which properties of which objects are followed: light ones, and only such as a vCenter 6.0 has.

tests/unit/vsphere/test_properties.py looks each path up in pyVmomi's version tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pyVmomi import vim

FOLLOWED: Final[Mapping[type[vim.ManagedEntity], tuple[str, ...]]] = MappingProxyType(
    {
        vim.Datacenter: ("name", "parent", "vmFolder"),
        vim.Folder: ("name", "parent"),
        vim.ComputeResource: ("name", "parent", "resourcePool"),
        vim.ResourcePool: ("name", "parent", "owner"),
        vim.HostSystem: (
            "name",
            "parent",
            "runtime.connectionState",
            "runtime.inMaintenanceMode",
            "summary.hardware.memorySize",
            "summary.config.product",
            "datastore",
            "network",
        ),
        vim.Datastore: (
            "name",
            "parent",
            "browser",
            "host",
            "info",
            "summary.accessible",
            "summary.capacity",
            "summary.freeSpace",
        ),
        vim.Network: ("name", "parent", "tag"),
        vim.dvs.DistributedVirtualPortgroup: ("key", "config.distributedVirtualSwitch"),
        vim.DistributedVirtualSwitch: ("name", "parent", "uuid"),
        vim.VirtualMachine: (
            "name",
            "parent",
            "parentVApp",
            "resourcePool",
            "datastore",
            "customValue",
            "snapshot",
            "summary.config.instanceUuid",  # these two are kept for a VM whose configuration cannot be read
            "summary.config.vmPathName",
            "config.uuid",
            "config.instanceUuid",
            "config.template",
            "config.version",
            "config.annotation",
            "config.files.vmPathName",
            "config.extraConfig",
            "config.hardware.device",
            "config.hardware.memoryMB",
            "layoutEx.disk",
            "layoutEx.file",
            "runtime.powerState",
            "runtime.connectionState",
            "runtime.host",
            "runtime.question",
            "guest.toolsRunningStatus",
            "guest.toolsVersionStatus2",
        ),
    }
)
"""Paths by managed object type; a subtype has those of its base types too."""

PLACES: Final = tuple(kind for kind in FOLLOWED if kind not in (vim.VirtualMachine, vim.Folder))
"""What a VM can be put on: what another program may have made just before."""

TASK: Final = (
    "info.key",
    "info.state",
    "info.progress",
    "info.descriptionId",
    "info.entity",
    "info.error",
    "info.result",
)
"""What is followed of each task that the vCenter lists as recent."""

FIELDS: Final = "field"
"""Of the CustomFieldsManager: the definitions of custom attributes."""
