"""RollingUpgrade: a cluster's hosts to another version, one at a time, while its VMs run."""

from __future__ import annotations

import pulumi

from components.providers.upgraded_host import UpgradedHost
from components.settings_upgrade import UpgradeSettings


class RollingUpgrade(pulumi.ComponentResource):
    """The hosts in the order in which they are named. Each depends on the one before: the first failure is the last step."""

    hosts: tuple[UpgradedHost, ...]

    def __init__(
        self, name: str, stack: UpgradeSettings, *, preview: bool, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare that the hosts run what the stack wants."""
        super().__init__("esxodus:index:RollingUpgrade", name, None, opts)
        hosts: list[UpgradedHost] = []
        for host in stack.upgrade.hosts:
            options = pulumi.ResourceOptions(parent=self, depends_on=hosts[-1:])
            hosts.append(UpgradedHost(host, stack.upgrade.wanted, stack.upgrade.hosts, preview=preview, opts=options))
        self.hosts = tuple(hosts)
        self.register_outputs({})
