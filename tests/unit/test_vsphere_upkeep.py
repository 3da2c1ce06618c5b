"""From raw properties to what is known of a host's time, and of licences."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest
from pyVmomi import vim

from tests.unit import vsphere_objects as raw
from vsphere import upkeep

NOW = datetime(2026, 12, 1, tzinfo=UTC).timestamp()


def host(servers: list[str] | None, *running: str, **time: Any) -> Any:
    ntp = None if servers is None else vim.host.NtpConfig(server=servers)
    services = [
        vim.host.Service(
            key=key, label=key, required=False, uninstallable=False, running=key in running, ruleset=[], policy="on"
        )
        for key in ("ntpd", "ptpd", "TSM-SSH")
    ]
    info = vim.host.DateTimeInfo(ntpConfig=ntp, **time)
    return raw.record(vim.HostSystem, "host-1", config__dateTimeInfo=info, config__service__service=services)


@pytest.mark.parametrize(
    ("record", "timed"),
    [
        (host(["ntp1"], "ntpd"), True),
        (host(["ntp1"], "TSM-SSH"), False),
        (host([], "ntpd"), False),
        (host(None, "ntpd"), False),
        (host([], "ptpd", systemClockProtocol="ptp"), True),
        (host(["ntp1"], "ntpd", systemClockProtocol="ptp"), False),
        (raw.record(vim.HostSystem, "host-1"), None),
    ],
)
def test_who_sets_the_clock_of_a_host(record: Any, timed: bool | None) -> None:
    assert upkeep.timed(record) is timed


def pair(key: str, value: Any) -> Any:
    return cast("Any", vim).KeyAnyValue(key=key, value=value)


def assigned(edition: str, own: list[Any], of_assignment: list[Any] | None = None) -> Any:
    info = vim.LicenseManager.LicenseInfo(
        licenseKey="k", editionKey=edition, name="Name", total=0, costUnit="cpuPackage", properties=own
    )
    return vim.LicenseAssignmentManager.LicenseAssignment(
        entityId="host-1", assignedLicense=info, properties=of_assignment
    )


def test_a_licence_that_never_ends_with_its_features() -> None:
    features = [pair("feature", vim.KeyValue(key=key, value=key)) for key in ("dvs", "drs")]
    found = upkeep.license_of(assigned("esx.enterprisePlus.cpuPackage", [*features, pair("ProductName", "x")]), NOW, 0)
    assert (found.name, found.evaluation, found.left, found.expires) == ("Name", False, None, None)
    assert found.features == {"dvs", "drs"}


def test_a_licence_ends_by_the_clock_of_its_vcenter() -> None:
    date = datetime.fromtimestamp(NOW + 3600, UTC)
    found = upkeep.license_of(assigned("esx.standard", [pair("expirationDate", date)]), NOW, 600)
    assert (found.left, found.expires) == (3000, NOW + 3000)


@pytest.mark.parametrize("inside", [[pair("expirationHours", 24), pair("expirationMinutes", 1440)]])
def test_an_evaluation_says_when_it_ends_in_a_place_of_its_own(inside: list[Any]) -> None:
    evaluation = pair("Evaluation", vim.LicenseManager.EvaluationInfo(properties=inside))
    found = upkeep.license_of(assigned("eval", [], [evaluation]), NOW, 0)
    assert found.evaluation
    assert found.left == 86400
    date = pair("expirationDate", datetime.fromtimestamp(NOW - 1, UTC))
    ended = pair("Evaluation", vim.LicenseManager.EvaluationInfo(properties=[*inside, date]))
    assert upkeep.license_of(assigned("eval", [], [ended]), NOW, 0).left == -1
