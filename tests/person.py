"""A person at a vCenter: acts behind the migration's back, by pyVmomi and nothing of ours."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyVim.connect import Disconnect, SmartConnect
from pyVim.task import WaitForTask
from pyVmomi import vim

from tools.running_lab import Lab

PASSWORDS = {"source": "old-secret", "target": "new-secret"}


class Person:
    """Someone logged in to one vCenter."""

    def __init__(self, content: Any) -> None:
        """Take the service content of a session."""
        self._content = content

    def _find(self, kind: Any, name: str) -> Any:
        view = self._content.viewManager.CreateContainerView(self._content.rootFolder, [kind], recursive=True)
        try:
            return next(one for one in view.view if one.name == name)
        finally:
            view.Destroy()

    def vm(self, name: str) -> Any:
        """Return the VM's managed object."""
        return self._find(vim.VirtualMachine, name)

    def pool(self, name: str) -> Any:
        """Return the resource pool's managed object; a name is as vSphere stores it."""
        return self._find(vim.ResourcePool, name)

    def relax_admission(self, name: str) -> None:
        """Let HA of a cluster admit every VM."""
        cluster = self._find(vim.ClusterComputeResource, name)
        relaxed = vim.cluster.ConfigSpecEx(dasConfig=vim.cluster.DasConfigInfo(admissionControlEnabled=False))
        WaitForTask(cluster.ReconfigureComputeResource_Task(relaxed, True))

    def power_off(self, name: str) -> None:
        """Pull the plug."""
        WaitForTask(self.vm(name).PowerOffVM_Task())

    def unregister(self, name: str) -> None:
        """Remove from inventory."""
        self.vm(name).UnregisterVM()

    def rename(self, name: str, new: str) -> None:
        """Give another name."""
        WaitForTask(self.vm(name).Rename_Task(new))

    def cancel(self, name: str) -> None:
        """Cancel whatever runs on it."""
        for task in self.vm(name).recentTask:
            if task.info.state in ("queued", "running"):
                task.CancelTask()

    def move(self, name: str, datastore: str) -> None:
        """Storage vMotion."""
        target = self._find(vim.Datastore, datastore)
        WaitForTask(self.vm(name).RelocateVM_Task(vim.vm.RelocateSpec(datastore=target)))


@contextmanager
def person(lab: Lab, site: str) -> Iterator[Person]:
    """Log in at a site of the lab."""
    vcenter = lab.endpoints["vcenters"][site]
    host, _, port = vcenter["host"].partition(":")
    instance = SmartConnect(
        host=host,
        port=int(port),
        user=vcenter["username"],
        pwd=PASSWORDS[site],
        sslContext=ssl.create_default_context(cadata=vcenter["certificate"]),
    )
    try:
        yield Person(instance.RetrieveContent())
    finally:
        Disconnect(instance)
