"""The settings of a rolling upgrade: every problem at once, with the key, the value and what is allowed."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml

from components.settings import Settings
from components.settings_upgrade import UpgradeSettings
from migration.errors import SettingsError
from tests.unit.test_settings import GOOD as MIGRATION
from tools.parts import ROOT

GOOD: dict[str, Any] = {
    "site": {"vcenter": "vc.osaka.example", "username": "svc-upgrade@vsphere.local", "caFile": "certs/ca.pem"},
    "sitePassword": "s3cret",
    "upgrade": {
        "datacenter": "osaka",
        "cluster": "prod",
        "hosts": ["esx1.osaka.example", "esx2.osaka.example", "esx3.osaka.example"],
        "version": "7.0.3",
        "build": 21930508,
        "image": {
            "depot": "[iso] esxi/VMware-ESXi-7.0U3n-21930508-depot.zip",
            "profile": "ESXi-7.0U3n-21930508-standard",
        },
    },
}


def changed(**upgrade: Any) -> dict[str, Any]:
    data = copy.deepcopy(GOOD)
    data["upgrade"] |= upgrade
    data["upgrade"] = {key: value for key, value in data["upgrade"].items() if value is not None}
    return data


def problems(data: dict[str, Any], *, here: bool = False) -> list[str]:
    with pytest.raises(SettingsError) as error:
        UpgradeSettings.parse(data, here=here)
    return list(error.value.problems)


def test_good_settings_are_read_as_pulumi_hands_them_over() -> None:
    stack = UpgradeSettings.parse(
        {key: value if isinstance(value, str) else json.dumps(value) for key, value in GOOD.items()}
    )
    assert str(stack.upgrade.wanted) == "ESXi 7.0.3 build 21930508"
    assert stack.upgrade.limits.reboot == 2400
    assert "s3cret" not in repr(stack)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (changed(hosts=[]), "esxodus:upgrade.hosts: empty"),
        (changed(hosts=["esx1", "esx1"]), "esx1 is there more than once"),
        (changed(version="7.0 U3"), "esxodus:upgrade.version: '7.0 U3' is not a version of ESXi such as 7.0.3"),
        (changed(build="newest"), "esxodus:upgrade.build: 'newest': must be a whole number"),
        (changed(image=None), "exactly one of image and command"),
        (changed(command={"command": ["./upgrade-host"]}), "exactly one of image and command"),
        (changed(image={"depot": "/vmfs/volumes/iso/x.zip", "profile": "p"}), "is not a .zip file on a datastore"),
        (changed(reboot=0), "esxodus:upgrade.reboot: 0: must be greater than 0"),
        (changed(depots="x"), "there is no such key; did you mean"),
        (
            {**GOOD, "site": {**GOOD["site"], "thumbprint": ":".join(["AB"] * 20)}},
            "exactly one of thumbprint and caFile",
        ),
        (
            {key: value for key, value in GOOD.items() if key != "sitePassword"},
            "pulumi config set --secret sitePassword",
        ),
        ({**GOOD, "waves": []}, "esxodus:waves: a key of a migration; a stack either migrates a site"),
        ({**GOOD, "target": {}}, "esxodus:target: a key of a migration"),
    ],
)
def test_what_is_wrong_is_said(data: dict[str, Any], says: str) -> None:
    found = problems(data)
    assert any(says in one for one in found), found


def test_every_problem_is_said_together() -> None:
    assert len(problems({**changed(version="7", build=0, hosts=[]), "fabric": {}})) == 4


def test_a_command_must_be_there() -> None:
    data = changed(image=None, command={"command": ["./upgrade-host", "--now"], "timeout": 3600})
    assert UpgradeSettings.parse(data).upgrade.command
    (said,) = problems(data, here=True)
    assert said.startswith("esxodus:upgrade.command.command: ./upgrade-host is neither on PATH")


def test_a_migration_is_no_upgrade() -> None:
    with pytest.raises(SettingsError, match="pulumi -C upgrade"):
        Settings.parse({**MIGRATION, "upgrade": GOOD["upgrade"]})


@pytest.mark.parametrize("stack", ["example-upgrade", "lab-rolling", "lab-not-n1"])
def test_the_stacks_that_come_along_are_right(stack: str) -> None:
    text = (ROOT / "stacks" / f"Pulumi.{stack}.yaml").read_text(encoding="utf-8")
    config = {key.removeprefix("esxodus:"): value for key, value in yaml.safe_load(text)["config"].items()}
    config["sitePassword"] = "s3cret"
    assert UpgradeSettings.parse(config).upgrade.image
