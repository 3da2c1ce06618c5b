"""Two hundred VMs in five waves with windows: what the lab recorded keeps to the cost model and to the clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.engine.conftest import REPOSITORY
from tests.engine.site_project import Site, site_config
from tools.running_lab import Lab, running_lab

pytestmark = pytest.mark.engine

WAVES, IN_EACH = 5, 40
OFF = "off00"
"""The VM of the wave whose window is too short for its copy."""
LIMITS = {"hosts": 8, "volumes": 128, "networks": 8}


def name(wave: int, number: int) -> str:
    return f"vm{wave}{number:02}"


def scenario(folder: Path) -> Path:
    """Write a site of 200 VMs of many sizes on four datastores."""
    site: dict[str, Any] = yaml.safe_load(
        (REPOSITORY / "tests" / "scenarios" / "small.yaml").read_text(encoding="utf-8")
    )
    # A second of the lab is an hour: what is measured is the order of things, not how long they take.
    site["timescale"] = 3600
    site["vms"] = [
        {
            "name": name(wave, number),
            "site": "source",
            "datacenter": "tokyo6",
            "cluster": "prod6",
            "host": f"esx60-{1 + number % 2}.lab",
            "guest": "rhel6_64Guest",
            "memory": 1,
            "disks": [{"datastore": ("old-a", "old-b")[number % 2], "size": 5, "used": 1 + number % 5, "thin": True}],
            "nics": [{"network": "VM Network"}],
            "ips": [f"10.{wave}.0.{number + 1}"],
        }
        for wave in range(WAVES)
        for number in range(IN_EACH)
    ]
    # The one copy of a VM that is off: no other one teaches how long it takes, so it is thought to need 18 minutes.
    site["vms"].append(
        {**site["vms"][0], "name": OFF, "power": "off", "disks": [{"datastore": "old-a", "size": 100, "used": 100}]}
    )
    file = folder / "many.yaml"
    file.write_text(yaml.safe_dump(site), encoding="utf-8")
    return file


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with running_lab(scenario(tmp_path), any_port=True) as running:
        yield running
        assert running.get("/violations") == []


def written(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")


def read(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_two_hundred_vms_in_five_waves(lab: Lab, tmp_path: Path) -> None:
    config = site_config(lab, {})
    config["esxodus:policy"] = {"shutdownTimeout": 5, "onShutdownTimeout": "stop"}
    began = time.time()
    starts = [began + 15 * wave for wave in range(1, WAVES + 1)]
    config["esxodus:waves"] = [
        {
            "name": f"wave{wave}",
            "stage": "migrated",
            "after": [f"wave{wave - 1}"] if wave else [],
            "window": {"start": written(starts[wave]), "end": written(began + 7200)},
            "vms": [name(wave, number) for number in range(IN_EACH)],
        }
        for wave in range(WAVES)
    ]
    window = {"start": written(began + 15), "end": written(began + 600)}
    config["esxodus:waves"].append({"name": "short", "stage": "migrated", "window": window, "vms": [OFF]})
    site = Site(tmp_path / "clone", config)
    site.up()

    record = lab.get("/operations")
    assert record["over"] == []
    for kind, limit in LIMITS.items():
        assert max(record["peaks"][kind].values(), default=0) <= limit, kind
    assert max(record["peaks"]["hosts"].values()) == LIMITS["hosts"], "it worked on several at once"
    copies = [one for one in record["operations"] if one["kind"] == "storageVMotion"]
    assert len(copies) == WAVES * IN_EACH

    state = site.project.resources()
    first = {
        wave: min(read(state[name(wave, number)]["outputs"]["audit"][0]["time"]) for number in range(IN_EACH))
        for wave in range(WAVES)
    }
    last = {wave: max(read(one["end"]) for one in copies if one["vm"].startswith(f"vm{wave}")) for wave in range(WAVES)}
    for wave in range(WAVES):
        assert first[wave] >= starts[wave], "no wave starts before its window"
        if wave:
            assert first[wave] >= last[wave - 1], "nor before the wave that it comes after has ended"

    short = state[OFF]["outputs"]
    assert short["reached"] == "rehosted"
    assert "would not end before the window of wave short closes" in short["waiting"]
    assert began + 15 <= read(short["audit"][0]["time"]) <= read(short["audit"][-1]["time"]) <= began + 600
    assert [one for one in record["operations"] if one["vm"] == OFF] == [], "it is not begun"

    outputs = site.outputs()
    whole = outputs["site"]
    assert whole["vms"] == WAVES * IN_EACH + 1
    assert whole["settled"] == WAVES * IN_EACH
    for total in ("vms", "settled", "copiedGiB"):
        assert sum(wave[total] for wave in outputs["waves"].values()) == pytest.approx(whole[total])
    assert whole["copiedGiB"] == pytest.approx(sum(1 + number % 5 for number in range(IN_EACH)) * WAVES, rel=0.01)

    down = {
        wave: [state[name(wave, number)]["outputs"]["downtimeSeconds"] for number in range(IN_EACH)]
        for wave in range(WAVES)
    }
    assert state[OFF]["outputs"].get("downtimeSeconds") is None
    assert all(seconds > 0 for one in down.values() for seconds in one)
    for wave, one in down.items():
        told = outputs["waves"][f"wave{wave}"]["downtimeSeconds"]
        assert told == {"total": pytest.approx(sum(one)), "longest": pytest.approx(max(one))}
    every = [seconds for one in down.values() for seconds in one]
    assert whole["downtimeSeconds"] == {"total": pytest.approx(sum(every)), "longest": pytest.approx(max(every))}
