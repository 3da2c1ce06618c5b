"""The stack's settings: what a right file says, and every sentence about a wrong one."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.settings import Settings
from migration.errors import SettingsError
from migration.wanted import Identity, Stage

THUMBPRINT = ":".join(["AB"] * 20)

GOOD: dict[str, Any] = {
    "source": {"vcenter": "vc60.example", "username": "svc", "thumbprint": THUMBPRINT},
    "target": {
        "vcenter": "127.0.0.1:8470",
        "username": "svc",
        "caFile": "ca.pem",
        "datacenter": "tokyo7",
        "cluster": {"name": "prod7", "evc": "auto"},
        "hosts": [{"name": "esx71", "thumbprint": THUMBPRINT}, {"name": "esx72", "thumbprint": THUMBPRINT}],
        "switch": {"name": "dvs7", "uplinks": ["vmnic1"]},
        "networks": [{"name": "pg-prod", "vlan": 20}],
        "datastores": [{"name": "gold7", "kind": "vmfs", "disk": "naa.01"}],
    },
    "sourcePassword": "old-secret",
    "targetPassword": "new-secret",
    "hostPassword": "root-secret",
    "oldDatastores": ["dsA"],
    "networkMap": {"VM Network": "pg-prod"},
    "waves": [
        {"name": "pilot", "stage": "migrated", "vms": ["app01", {"name": "db01", "stage": "rehosted"}]},
        {
            "name": "rest",
            "after": ["pilot"],
            "stage": "source",
            "vms": ["app02"],
            "policy": {"shutdownTimeout": 60},
        },
    ],
}


def changed(path: str, value: object) -> dict[str, Any]:
    """Return the good settings with the value at a path such as `target.hosts.1.name` exchanged."""
    settings = copy.deepcopy(GOOD)
    here: Any = settings
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in parents:
        here = here[part]
    here[last] = value
    return settings


def problems(settings: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        Settings.parse(settings)
    return caught.value.problems


def test_the_good_settings_become_specs() -> None:
    specs = Settings.parse(GOOD).specs()
    assert [(wave.name, spec.identity.name, spec.stage) for wave, spec in specs] == [
        ("pilot", "app01", Stage.MIGRATED),
        ("pilot", "db01", Stage.REHOSTED),
        ("rest", "app02", Stage.SOURCE),
    ]
    first, last = specs[0][1], specs[-1][1]
    assert first.identity == Identity("app01")
    assert first.old_volumes == ("dsA",)
    assert first.new_volumes == ("gold7",)
    assert first.declared_networks == ("pg-prod",)
    assert (first.datacenter, first.cluster) == ("tokyo7", "prod7")
    assert (first.shutdown_timeout, last.shutdown_timeout) == (300.0, 60.0)


def test_an_old_datastore_is_a_name_or_says_more() -> None:
    stack = Settings.parse(changed("oldDatastores", ["dsA", {"name": "dsB", "retire": True}, {"name": "dsC"}]))
    assert stack.old_names == ("dsA", "dsB", "dsC")
    assert stack.retiring == ("dsB",)
    assert stack.checked() == Settings.parse(GOOD).checked() + 1
    assert stack.specs()[0][1].old_volumes == stack.old_names


def test_structured_values_may_be_json_text() -> None:
    as_pulumi_hands_over = {key: value if isinstance(value, str) else json.dumps(value) for key, value in GOOD.items()}
    assert Settings.parse(as_pulumi_hands_over) == Settings.parse(GOOD)


def test_a_password_of_digits_stays_text() -> None:
    assert Settings.parse({**GOOD, "sourcePassword": "4711"}).source_password.get_secret_value() == "4711"


def test_no_password_is_ever_shown() -> None:
    assert "secret" not in repr(Settings.parse(GOOD)).replace("SecretStr", "").replace("_secret", "")
    shown = "\n".join(problems({**GOOD, "sourcePassword": ["hunter2"], "waves": 5}))
    assert "hunter2" not in shown
    assert "esxodus:sourcePassword: (secret): must be text" in shown


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (
            "source.thumbprint",
            "AB:CD",
            "esxodus:source.thumbprint: 'AB:CD': must be the SHA-1 or SHA-256 of the certificate",
        ),
        (
            "source.caFile",
            "ca.pem",
            "esxodus:source: both of thumbprint and caFile; exactly one says how TLS is verified",
        ),
        ("target.caFile", "", "esxodus:target: neither of thumbprint and caFile"),
        (
            "source.vcenter",
            "https://vc",
            "esxodus:source.vcenter: 'https://vc' is not a host name or address",
        ),
        ("source.user", "x", "esxodus:source.user: there is no such key; did you mean username?"),
        ("target.hosts.1.name", "esx 72", "esxodus:target.hosts[1].name: 'esx 72' is not the host's name"),
        ("target.hosts.1.name", "ESX71", "esxodus:target.hosts: host esx71 is there 2 times"),
        ("target.hosts", [], "esxodus:target.hosts: empty; at least one is needed"),
        ("target.hosts.0", 5, "esxodus:target.hosts[0]: 5: must be keys with values"),
        (
            "target.cluster.evc",
            "haswell",
            "esxodus:target.cluster.evc: 'haswell' is not `auto` or the key of an EVC mode",
        ),
        (
            "target.networks.0.vlan",
            4095,
            "esxodus:target.networks[0].vlan: 4095: must be at most 4094",
        ),
        ("target.switch", None, "esxodus:target.switch: missing; the networks pg-prod are port groups of it, as they"),
        ("target.datastores.0.kind", "vsan", "esxodus:target.datastores[0].kind: 'vsan': must be 'vmfs' or 'nfs'"),
        (
            "target.datastores.0",
            {"name": "gold7", "kind": "vmfs"},
            "esxodus:target.datastores[0].disk: missing; a datastore of kind vmfs needs it",
        ),
        (
            "target.datastores.0",
            {"name": "gold7", "kind": "vmfs", "disk": "naa.01", "path": "/x"},
            "esxodus:target.datastores[0].path: a datastore of kind vmfs has none",
        ),
        (
            "target.datastores.0",
            {"name": "nfs7", "kind": "nfs", "servers": ["a", "b"], "path": "/x"},
            "esxodus:target.datastores[0].servers: NFS 3 takes one server",
        ),
        (
            "target.datastores.0",
            {"name": "nfs7", "kind": "nfs", "servers": ["a"], "path": "/x", "security": "SEC_KRB5"},
            "esxodus:target.datastores[0].security: NFS 3 has none",
        ),
        (
            "target.datastores.0",
            {"name": "nfs7", "kind": "nfs", "servers": ["a"], "path": "x"},
            "esxodus:target.datastores[0].path: 'x' is not the path of an export",
        ),
        (
            "target.datastores.0",
            {"name": "nfs7", "kind": "nfs", "servers": ["a b"], "path": "/x"},
            "esxodus:target.datastores[0].servers[0]: 'a b' is not a host name or address",
        ),
        (
            "target.datastores.0",
            {"name": "nfs7", "kind": "nfs", "version": 4.2, "servers": ["a"], "path": "/x"},
            "esxodus:target.datastores[0].version: 4.2: must be '3' or '4.1'",
        ),
        (
            "target.datastores",
            [
                {"name": "nfs7", "kind": "nfs", "servers": ["a"], "path": "/x"},
                {"name": "nfs8", "kind": "nfs", "servers": ["A"], "path": "/x/"},
            ],
            "esxodus:target.datastores[1]: A:/x/ is also what nfs7 is mounted from",
        ),
        (
            "target.datastores.0.cluster",
            "gold",
            "esxodus:target.datastores[0].cluster: gold is no cluster of esxodus:target.datastoreClusters",
        ),
        (
            "target.datastoreClusters",
            [{"name": "gold", "storageDrs": "fully"}],
            "esxodus:target.datastoreClusters[0].storageDrs: 'fully': must be 'off', 'manual' or 'automatic'",
        ),
        (
            "target.datastoreClusters",
            [{"name": "gold"}, {"name": "gold"}],
            "esxodus:target.datastoreClusters: datastore cluster gold is there 2 times",
        ),
        (
            "target.datastores.0.disk",
            "sdb",
            "esxodus:target.datastores[0].disk: 'sdb' is not a disk's canonical name",
        ),
        (
            "target.datastores.0.name",
            "dsA",
            "esxodus:oldDatastores[0]: dsA is also the name of a new datastore",
        ),
        ("fabric", {"kind": "cisco"}, "esxodus:fabric.kind: 'cisco': must be 'manual' or 'brocade'"),
        (
            "fabric",
            {"fabrics": [{"name": "a", "hbas": ["vmhba2"]}]},
            "esxodus:fabric.fabrics[0].configuration: missing",
        ),
        (
            "fabric",
            {"fabrics": [{"name": "a", "configuration": "c", "hbas": ["vmnic2"]}]},
            "esxodus:fabric.fabrics[0].hbas[0]: 'vmnic2' is not the name of a Fibre Channel adapter such as vmhba2",
        ),
        (
            "fabric",
            {"targets": ["50:06"]},
            "esxodus:fabric.targets[0]: '50:06': must be the name of a Fibre Channel port",
        ),
        ("oldDatastores", [], "esxodus:oldDatastores: empty; at least one is needed"),
        ("oldDatastores", "dsA", "esxodus:oldDatastores: 'dsA': must be a list"),
        ("oldDatastores", ["dsA", "dsA"], "esxodus:oldDatastores: datastore dsA is there 2 times"),
        ("policy", {"shutdownTimeout": 0}, "esxodus:policy.shutdownTimeout: 0: must be greater than 0"),
        ("policy", {"shutdownTimeout": float("inf")}, "esxodus:policy.shutdownTimeout: inf: must be"),
        (
            "policy",
            {"onShutdownTimeout": "kill"},
            "esxodus:policy.onShutdownTimeout: 'kill': must be 'stop' or 'powerOff'",
        ),
        (
            "waves.0.stage",
            "moved",
            "esxodus:waves[0].stage: 'moved': must be 'source', 'rehosted' or 'migrated'",
        ),
        (
            "waves.0.method",
            "relay",
            "live by a relay vCenter 6.7 is not available in this version; allowed: 'auto'",
        ),
        ("waves.1.after", ["pilt"], "esxodus:waves[1].after[0]: pilt is no wave; did you mean pilot?"),
        ("waves.0.after", ["rest"], "esxodus:waves: these wait for each other: pilot after rest after pilot"),
        (
            "target.networks",
            [{"name": "n"}, {"name": "n"}],
            "esxodus:target.networks: network n is there 2 times",
        ),
        ("waves.1.vms", ["app01"], "esxodus:waves: VM app01 is there 2 times"),
        ("waves.1.vms", [], "esxodus:waves[1].vms: empty; at least one is needed"),
        ("source.username", "", "esxodus:source.username: '': must not be empty"),
        ("networkMap", ["VM Network"], "esxodus:networkMap: must be keys with values"),
        ("waves.1.vms", [123], "esxodus:waves[1].vms[0].name: 123: must be text; put it in quotes"),
        (
            "waves.1.vms",
            [{"name": "app03", "uuid": "x"}],
            "esxodus:waves[1].vms[0].uuid: 'x' is not an instance UUID",
        ),
        ("Waves", [], "esxodus:Waves: there is no such key; did you mean waves?"),
        ("networkMap", {"": "y"}, "esxodus:networkMap: '': must not be empty"),
        ("networkMap", {"x": " y"}, "esxodus:networkMap.x: ' y' is not one line of 1 to 80 characters"),
        ("waves.0.vms.0", " app01", "esxodus:waves[0].vms[0].name: ' app01' is not one line of 1 to 80 characters"),
        ("waves.0.vms.0", "app\n01", "esxodus:waves[0].vms[0].name: 'app\\n01' is not one line of 1 to 80 characters"),
        ("waves.0.vms.0", "x" * 81, "must be at most 80 characters long"),
        ("oldDatastores.0", "old [1]", "esxodus:oldDatastores[0].name: 'old [1]': must have no brackets"),
        (
            "oldDatastores.0",
            {"name": "dsA", "retire": "x"},
            "esxodus:oldDatastores[0].retire: 'x': must be true or false",
        ),
        ("oldDatastores.0", {"name": "gold7"}, "esxodus:oldDatastores[0]: gold7 is also the name of a new datastore"),
        ("target.datastores.0.name", "[new]", "esxodus:target.datastores[0].name: '[new]': must have no brackets"),
    ],
)
def test_a_wrong_value_is_named_with_its_place_and_what_is_allowed(path: str, value: object, expected: str) -> None:
    found = problems(changed(path, value))
    assert any(expected in problem for problem in found), found
    assert len(found) == 1, found


def test_a_password_in_clear_is_refused() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.parse(changed("policy", {}), clear=["fabricPassword"])
    assert refused.value.problems == (
        "esxodus:fabricPassword: it is there in clear; set it with `pulumi config set --secret fabricPassword`",
    )


def test_what_a_kind_of_fabric_lacks_or_has_no_use_for() -> None:
    found = problems(changed("fabric", {"kind": "brocade"}))
    assert found == (
        "esxodus:fabric.fabrics: empty; each fabric's switch is needed, two as a rule",
        "esxodus:fabricPassword: missing; set it with `pulumi config set --secret fabricPassword`",
    )
    fabrics = [{"name": "a", "hbas": ["vmhba2"]}, {"name": "a", "switch": "b1", "username": "u", "caFile": "ca.pem"}]
    found = problems({**changed("fabric", {"kind": "brocade", "fabrics": fabrics}), "fabricPassword": "x"})
    assert found == (
        "esxodus:fabric.fabrics: fabric a is there 2 times",
        "esxodus:fabric.fabrics[0].switch: missing",
        "esxodus:fabric.fabrics[0].username: missing",
        "esxodus:fabric.fabrics[0].hbas: only of kind manual",
        "esxodus:fabric.fabrics[0]: neither of thumbprint and caFile; exactly one says how TLS is verified",
    )
    found = problems(changed("fabric", {"fabrics": [{"name": "a", "switch": "a1", "configuration": "c"}]}))
    assert found == (
        "esxodus:fabric.fabrics[0].switch: only of kind brocade",
        "esxodus:fabric.fabrics[0].hbas: missing; the new hosts' adapters that are cabled to this fabric",
    )
    alike = changed("target.hosts.0.name", "esx-71.x") | {
        "fabric": {"fabrics": [{"name": name, "hbas": ["vmhba2"], "configuration": "c"} for name in ("a", "b")]}
    }
    alike["target"]["hosts"].append({**alike["target"]["hosts"][0], "name": "esx.71.x"})
    found = problems(alike)
    assert found[:2] == (
        "esxodus:fabric.fabrics: adapter vmhba2 is there 2 times",
        "esxodus:target.hosts: esx-71.x and esx.71.x would have zones of one name; let them differ in letters or digits",
    )


def test_vms_of_one_name_need_their_uuids() -> None:
    uuid = "502e71fa-1a9b-2c3d-4e5f-60718293a4b5"
    (found,) = problems(changed("waves.1.vms", [{"name": "app01", "uuid": uuid}]))
    assert found == "esxodus:waves[0].vms[0]: another entry names VM app01 by its uuid; add the uuid here too"


def test_one_uuid_for_two_vms_is_refused() -> None:
    uuid = "502e71fa-1a9b-2c3d-4e5f-60718293a4b5"
    (found,) = problems(changed("waves.1.vms", [{"name": "x1", "uuid": uuid}, {"name": "x2", "uuid": uuid.upper()}]))
    assert found == f"esxodus:waves[1].vms[1].uuid: {uuid} is also that of VM x1"


def test_every_problem_is_reported_at_once() -> None:
    settings = changed("waves.1.after", ["pilt"])
    settings["source"]["thumbprint"] = "x"
    settings["polcy"] = {}
    del settings["hostPassword"]
    found = problems(settings)
    assert [problem.partition(":")[2].partition(":")[0] for problem in found] == [
        "source.thumbprint",
        "hostPassword",
        "polcy",
        "waves[1].after[0]",
    ]
    assert found[1] == "esxodus:hostPassword: missing; set it with `pulumi config set --secret hostPassword`"


@pytest.mark.parametrize("name", ["Pulumi.example.yaml", "Pulumi.lab.yaml", "Pulumi.lab-live.yaml"])
def test_the_stack_files_of_this_repository_are_right(name: str) -> None:
    file = Path(__file__).parents[2] / "stacks" / name
    config = yaml.safe_load(file.read_text(encoding="utf-8"))["config"]
    values = {
        key.removeprefix("esxodus:"): "x" if isinstance(v, dict) and "secure" in v else v for key, v in config.items()
    }
    assert Settings.parse(values).specs()


def test_a_datastore_of_the_wrong_kind_says_all_that_is_wrong_with_it() -> None:
    found = problems(changed("target.datastores.0.kind", "nfs"))
    assert found == (
        "esxodus:target.datastores[0].servers: missing; a datastore of kind nfs needs it",
        "esxodus:target.datastores[0].path: missing; a datastore of kind nfs needs it",
        "esxodus:target.datastores[0].disk: a datastore of kind nfs has none",
    )


def test_what_cannot_be_together_in_a_datastore_cluster() -> None:
    settings = changed(
        "target.datastores",
        [
            {"name": "gold7", "kind": "vmfs", "disk": "naa.01", "cluster": "gold"},
            {"name": "nfs7", "kind": "nfs", "servers": ["a"], "path": "/x", "cluster": "gold"},
            {"name": "nfs8", "kind": "nfs", "version": 4.1, "servers": ["a"], "path": "/y", "cluster": "silver"},
        ],
    )
    settings["target"]["datastoreClusters"] = [{"name": "gold"}, {"name": "silver"}]
    found = problems(settings)
    assert any("datastores[1].cluster: gold has vmfs datastores; one with nfs needs its own" in one for one in found)
    assert any("datastores[2].cluster: a datastore of NFS 4.1 cannot be in a datastore cluster" in one for one in found)
    assert len(found) == 2
