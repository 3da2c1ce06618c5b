"""Would a host join? Its vCenter is asked to contact it, which changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from pyVmomi import vim

from migration import new_site
from migration.model import Concern
from vsphere import faults
from vsphere.session import Session

PORT: Final = 443
AT_ONCE: Final = 8
"""Hosts that are contacted at once; each is once a run."""


def refusals(
    session: Session,
    datacenter: vim.Datacenter,
    hosts: Sequence[tuple[str, str]],
    username: str,
    password: str,
) -> list[Concern]:
    """Return what would keep hosts from joining the datacenter's cluster, by name and thumbprint of each; changes nothing.

    The password goes to the vCenter, and from there to a host only once its certificate is the one that is named.

    Raises: MigrationError.
    """

    def ask(host: tuple[str, str]) -> Concern | None:
        name, thumbprint = host
        return session.read(f"{name}: asking whether it would join", lambda: _asked(name, thumbprint))

    def _asked(name: str, thumbprint: str) -> Concern | None:
        try:
            info = datacenter.QueryConnectionInfoViaSpec(
                vim.host.ConnectSpec(
                    hostName=name,
                    port=PORT,
                    sslThumbprint=thumbprint,
                    userName=username,
                    password=password,
                    force=False,
                )
            )
        except vim.fault.SSLVerifyFault as fault:
            return new_site.THUMBPRINT.concern(
                name, f"its certificate has the thumbprint {fault.thumbprint}, not the one that is written down"
            )
        except vim.fault.InvalidLogin:
            return new_site.PASSWORD.concern(name, f"it does not take the password of its user {username}")
        except (vim.fault.HostConnectFault, vim.fault.NotSupportedHost) as fault:
            return new_site.NOT_JOINING.concern(name, f"it would not join: {faults.reasons(fault)}")
        if info.serverIp:
            return new_site.IN_ANOTHER_VCENTER.concern(name, f"the vCenter at {info.serverIp} manages it")
        return None

    if not hosts:
        return []
    with ThreadPoolExecutor(min(AT_ONCE, len(hosts))) as pool:
        return [concern for concern in pool.map(ask, hosts) if concern is not None]
