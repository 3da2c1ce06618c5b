from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migration.model import File
from vsphere import names


@pytest.mark.parametrize(
    ("stored", "shown"),
    [("app01", "app01"), ("a%2fb", "a/b"), ("a%2Fb", "a/b"), ("50%25", "50%"), ("a%5cb", "a\\b"), ("%252f", "%2f")],
)
def test_vsphere_escapes(stored: str, shown: str) -> None:
    assert names.decoded(stored) == shown


@given(st.text())
def test_a_name_survives_the_way_there_and_back(name: str) -> None:
    assert names.decoded(names.encoded(name)) == name


@pytest.mark.parametrize("stored", ["web", "a%2fb", "50%25", "a%5cb", "café"])
def test_a_segment_of_a_path_keeps_its_slash_apart_and_leads_back_to_the_stored_name(stored: str) -> None:
    part = names.segment(stored)
    assert "/" not in part
    assert names.stored_segment(part) == stored


def test_datastore_paths() -> None:
    assert names.split_path("[old fc-01] app01/app01.vmx") == ("old fc-01", "app01/app01.vmx")
    assert names.split_path("[old-fc-01]") == ("old-fc-01", "")
    assert names.datastore_path("old-fc-01", "app01/app01.vmx") == "[old-fc-01] app01/app01.vmx"
    with pytest.raises(ValueError, match="no datastore path"):
        names.split_path("/vmfs/volumes/x")


@pytest.mark.parametrize("before", ["", "[] ", "[]"])
def test_the_path_of_a_vm_whose_datastore_is_gone(before: str) -> None:
    assert names.mounted_path(f"{before}/vmfs/volumes/5678-ab/app01/app01.vmx") == ("5678-ab", "app01/app01.vmx")
    assert names.mounted_path("[old-fc-01] app01/app01.vmx") is None


def test_where_a_file_named_in_a_vmx_lies() -> None:
    vmx = File("vmfs:1", "app01/app01.vmx")
    assert names.beside(vmx, "app01_1.vmdk") == ("vmfs:1", "app01/app01_1.vmdk")
    assert names.beside(vmx, "/vmfs/volumes/5678-ab/app01/d.vmdk") == ("5678-ab", "app01/d.vmdk")
