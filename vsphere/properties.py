"""Which properties of which objects are followed: light ones, and only such as a vCenter 6.0 has.

tests/unit/vsphere/test_properties.py looks each path up in pyVmomi's version tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pyVmomi import vim

from vsphere.names import numbers

FOLLOWED: Final[Mapping[type[vim.ManagedEntity], tuple[str, ...]]] = MappingProxyType(
    {
        vim.Datacenter: ("name", "parent", "vmFolder"),
        vim.Folder: ("name", "parent"),
        vim.StoragePod: ("podStorageDrsEntry.storageDrsConfig.podConfig.enabled",),
        vim.ComputeResource: ("name", "parent", "resourcePool"),
        vim.ClusterComputeResource: ("configurationEx",),
        vim.ResourcePool: ("name", "parent", "owner", "config.cpuAllocation", "config.memoryAllocation"),
        vim.HostSystem: (
            "name",
            "parent",
            "runtime.bootTime",
            "runtime.connectionState",
            "runtime.inMaintenanceMode",
            "summary.hardware.cpuMhz",
            "summary.hardware.memorySize",
            "summary.hardware.numCpuCores",
            "summary.hardware.numCpuThreads",
            "summary.config.product",
            "summary.config.vmotionEnabled",
            "summary.currentEVCModeKey",
            "summary.maxEVCModeKey",
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
            "summary.multipleHostAccess",
            "summary.type",
            "iormConfiguration.enabled",
        ),
        vim.Network: ("name", "parent", "tag"),
        vim.dvs.DistributedVirtualPortgroup: ("key", "config.distributedVirtualSwitch"),
        vim.DistributedVirtualSwitch: ("name", "parent", "uuid", "summary.productInfo.version"),
        vim.VirtualMachine: (
            "name",
            "parent",
            "parentVApp",
            "resourcePool",
            "datastore",
            "customValue",
            "permission",
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
            "config.changeTrackingEnabled",
            "config.cpuAffinity",
            "config.cpuAllocation",
            "config.ftInfo",
            "config.latencySensitivity",
            "config.memoryAffinity",
            "config.memoryAllocation",
            "config.hardware.device",
            "config.hardware.memoryMB",
            "config.hardware.numCPU",
            "layoutEx.disk",
            "layoutEx.file",
            "runtime.powerState",
            "runtime.connectionState",
            "runtime.host",
            "runtime.question",
            "runtime.consolidationNeeded",
            "runtime.faultToleranceState",
            "runtime.minRequiredEVCModeKey",
            "runtime.toolsInstallerMounted",
            "guest.ipAddress",
            "guest.net",
            "guest.toolsRunningStatus",
            "guest.toolsVersionStatus2",
        ),
    }
)
"""Paths by managed object type; a subtype has those of its base types too."""

SINCE_6_5: Final[Mapping[type[vim.ManagedEntity], tuple[str, ...]]] = MappingProxyType(
    {vim.VirtualMachine: ("config.keyId",)}
)
"""What is followed beside of a newer vCenter; asked for it, an older one would refuse the whole filter."""

PLACES: Final = tuple(kind for kind in FOLLOWED if kind is not vim.VirtualMachine)
"""What a VM can be put on, and the folders by which that is found: what another program may have made just before."""


def followed(api: str) -> Mapping[type[vim.ManagedEntity], tuple[str, ...]]:
    """Return the paths to follow at a vCenter of this API version, such as "6.0" or "7.0.3.0"."""
    if numbers(api) < (6, 5):
        return FOLLOWED
    return {kind: (*paths, *SINCE_6_5.get(kind, ())) for kind, paths in FOLLOWED.items()}


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
