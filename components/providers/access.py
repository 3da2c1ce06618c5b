"""The sites as every provider of this process reaches them: opened on first use, once, and shared."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from components import settings
from components.providers import runtime, this_run
from components.providers.outside import ThisMachine
from fabric.brocade import Switch
from migration.admission import Admission
from vsphere import tls
from vsphere.sites import VSphereSites
from vsphere.tls import Endpoint

if TYPE_CHECKING:
    from pulumi.dynamic import ConfigureRequest

    from migration.lease import Holder
    from migration.outside import Outside
    from vsphere.site import Site

admission: Final = Admission()
"""Lets the actions of all VMs of this run start as far as the cost model allows."""

_lock: Final = threading.Lock()
_configuration: dict[str, str] = {}
_opened: list[VSphereSites] = []
_outside: list[Outside] = []
_holder: list[Holder] = []


def configure(req: ConfigureRequest) -> None:
    """Mend the server and remember the stack's configuration, secrets included; nothing is read or contacted yet."""
    runtime.install()
    for key in settings.Settings.config_keys():
        value = req.config.get(key)
        if value is not None:
            _configuration[key] = value


def read() -> settings.Settings:
    """Return the stack's settings.

    Raises: SettingsError.
    """
    return settings.Settings.parse(_configuration)


def sites() -> VSphereSites:
    """Return the sites; the first caller opens them.

    Raises: SettingsError, Refused, Unreachable.
    """
    with _lock:
        if not _opened:
            stack = read()
            tls.hurry(runtime.stop)
            old, new = stack.old_names, [datastore.name for datastore in stack.target.datastores]
            _opened.append(VSphereSites(endpoints(stack), (*old, *new), runtime.stop))
        return _opened[0]


def outside() -> Outside:
    """Return what runs hooks and tries the guests' ports, from here.

    Raises: SettingsError.
    """
    with _lock:
        if not _outside:
            stack = read()
            passwords = (stack.source_password, stack.target_password, stack.host_password, stack.fabric_password)
            secrets = frozenset(password.get_secret_value() for password in passwords if password)
            _outside.append(ThisMachine(runtime.stop, withheld=secrets))
        return _outside[0]


def holder() -> Holder:
    """Return this run as it calls itself in the VMs that it works on."""
    urn = runtime.current_call().urn
    with _lock:
        if not _holder:
            _holder.append(this_run.holder(urn.split("::")[0].rpartition(":")[2]))
        return _holder[0]


def site(name: str) -> Site:
    """Return one of the sites, for what concerns it as a whole and no VM.

    Raises: SettingsError.
    """
    return sites().site(name)


def switch(name: str) -> Switch:
    """Return the switch of a fabric, to be entered; nothing is contacted yet.

    Raises: SettingsError, Refused.
    """
    stack = read()
    sites()  # whoever waits for an answer of a switch is hurried too, once the operator wants to stop
    one = next(fabric for fabric in stack.fabric.fabrics if fabric.name == name)
    endpoint = Endpoint(
        name=name,
        vcenter=one.switch or "",
        username=one.username or "",
        password=stack.fabric_password.get_secret_value() if stack.fabric_password else "",
        thumbprint=one.thumbprint or "",
        ca_file=one.ca_file or "",
        kind="switch",
    )
    return Switch(name, endpoint, runtime.stop, one.vfid or 0)


def endpoints(stack: settings.Settings) -> dict[str, Endpoint]:
    """Return where each site's vCenter is and who we are there."""
    passwords = {"source": stack.source_password, "target": stack.target_password}
    return {
        name: Endpoint(
            name=name,
            vcenter=vcenter.vcenter,
            username=vcenter.username,
            password=passwords[name].get_secret_value(),
            thumbprint=vcenter.thumbprint or "",
            ca_file=vcenter.ca_file or "",
        )
        for name, vcenter in (("source", stack.source), ("target", stack.target))
    }
