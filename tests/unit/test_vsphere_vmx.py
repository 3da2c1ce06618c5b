from __future__ import annotations

from migration.model import Adrift, File, Needs, Papers, Power
from vsphere import vmx

PAPERS = Papers(
    leaving="source", transit=True, power=Power.ON, template=False, datacenter="tokyo6", cluster="prod6",
    folder="apps/web", pool="production", host="esx60-1.lab", nics={"4000": "VM Network"}, disks={"home": "vmfs:1"},
    attributes={"owner": 'sato "x"', "note": "日本語"},
)  # fmt: skip

HERE = File("vmfs:1", "app 01/app01.vmx")


def nowhere(name: str) -> None:
    del name


def content(**more: str) -> bytes:
    settings = {
        ".encoding": "UTF-8",
        "displayName": "app01",
        "uuid.bios": "56 4d 11 22 33 44 55 66-77 88 99 aa bb cc dd ee",
        "vc.uuid": "50 2a 11 22 33 44 55 66-77 88 99 aa bb cc dd ee",
        "scsi0:0.fileName": "app01.vmdk",
        "scsi0:0.present": "TRUE",
        "scsi0:1.fileName": "/vmfs/volumes/5678-ab/app01/d.vmdk",
        "scsi0:1.present": "TRUE",
        "sata0:0.fileName": "/vmfs/volumes/iso/x.iso",
        "ethernet0.present": "TRUE",
        "ethernet0.address": "00:50:56:AA:BB:01",
        "ethernet0.networkName": "VM Network",
        "ethernet1.present": "TRUE",
        "ethernet1.generatedAddress": "00:50:56:aa:bb:02",
        "ethernet1.networkName": "DMZ",
        "ethernet1.startConnected": "FALSE",
        "esxodus.papers": PAPERS.dumps().replace('"', "|22"),
        **more,
    }
    return "".join(f'{key} = "{value}"\n' for key, value in settings.items()).encode()


def found(**more: str) -> Adrift:
    return vmx.adrift(content(**more), HERE, {"5678-ab": "vmfs:2"}.get)


def test_identity_papers_disks_and_cards() -> None:
    one = found()
    assert (one.name, one.instance_uuid) == ("app01", "502a1122-3344-5566-7788-99aabbccddee")
    assert one.papers == PAPERS
    assert one.volumes == {"vmfs:1", "vmfs:2"}
    assert [(nic.key, nic.mac, nic.network, nic.connected) for nic in one.nics] == [
        (4000, "00:50:56:aa:bb:01", "VM Network", True),
        (4001, "00:50:56:aa:bb:02", "DMZ", False),
    ]


def test_keys_in_any_case_and_absent_devices() -> None:
    one = found(**{"scsi0:1.present": "FALSE", "ETHERNET1.present": "FALSE", "ethernet1.present": "false"})
    assert one.volumes == {"vmfs:1"}
    assert len(one.nics) == 1


def test_what_it_needs_of_a_host() -> None:
    big = {"memSize": "6144", "numvcpus": "4", "sched.cpu.min": "1200", "virtualHW.version": "11"}
    assert found(**big).needs == Needs(6.0, 4, 1200, 11)
    assert found(memSize="much").needs == Needs(cpus=1)  # one processor is not written down


def test_escapes_stand_for_bytes() -> None:
    settings = vmx.parsed(b'annotation = "a|22b|22|0Acaf|C3|A9 100 %|7C"\n')
    assert settings["annotation"] == 'a"b"\ncafé 100 %|'


def test_another_encoding() -> None:
    text = '.encoding = "windows-1252"\ndisplayName = "café"\n'
    assert vmx.parsed(text.encode("windows-1252"))["displayname"] == "café"
    assert vmx.parsed(b'.encoding = "no-such"\ndisplayName = "x"\n')["displayname"] == "x"


def test_the_name_is_as_people_write_it() -> None:
    assert found(displayName="a%2fb 100%25").name == "a/b 100%"
    assert vmx.adrift(b"", File("vmfs:1", "a%2fb/a%2fb.vmx"), nowhere).name == "a/b"


def test_an_empty_or_broken_file_is_no_accident() -> None:
    one = vmx.adrift(b"\x00\xff garbage", HERE, nowhere)
    assert (one.name, one.instance_uuid, one.papers, one.volumes) == ("app01", "", None, frozenset({"vmfs:1"}))


def test_papers_that_somebody_edited_are_none() -> None:
    assert found(**{"esxodus.papers": "{}"}).papers is None


def test_a_volume_that_no_site_shows_keeps_its_uuid() -> None:
    one = vmx.adrift(content(), HERE, nowhere)
    assert one.volumes == {"vmfs:1", "vmfs:5678-ab"}
