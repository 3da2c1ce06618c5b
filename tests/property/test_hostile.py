"""What others wrote can be anything: no file, papers, settings or answer may end in an error that nobody foresaw."""

from __future__ import annotations

import copy
import http.client
import json
from dataclasses import asdict
from encodings.aliases import aliases
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from components.settings import Settings
from migration.errors import SettingsError
from migration.model import File, Papers, Power
from tests.unit.test_settings import GOOD
from vsphere import rest, tagging, tls, vmx
from vsphere.names import encoded, segment, stored_segment
from vsphere.rest import Rest, RestError
from vsphere.session import Session
from vsphere.tls import Endpoint

HERE = File("vmfs:1", "app 01/app01.vmx")
ENDPOINT = Endpoint("target", "vc70.example", "svc", "hidden", thumbprint="AA")
DEEP = "[" * 3_000  # more than Python nests
PAPERS = Papers(
    leaving="source", transit=True, power=Power.ON, template=False, datacenter="tokyo6", cluster="prod6",
    folder="apps", pool="production", host="esx60-1.lab", nics={"4000": "VM Network"}, disks={"home": "vmfs:1"},
    attributes={"owner": "sato"},
)  # fmt: skip

TEXTS = st.text(max_size=12) | st.text(st.characters(), max_size=12)  # the second kind with lone surrogates
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def nowhere(name: str) -> None:
    del name


# --- .vmx ---

KEYS = (
    "displayName",
    "vc.uuid",
    "scsi0:0.fileName",
    "scsi0:0.present",
    "ethernet0.present",
    "esxodus.papers",
    ".encoding",
)
LINES = st.builds(
    lambda key, value: f'{key} = "'.encode() + value + b'"',
    st.sampled_from(KEYS),
    st.binary(max_size=30) | st.sampled_from([*aliases, *aliases.values()]).map(str.encode),
)


@given(st.lists(LINES | st.binary(max_size=40), max_size=12).map(b"\n".join))
@example(b'.encoding = "unicode_escape"\ndisplayName = "\\ud800"\n')
@example(b'.encoding = "idna"\ndisplayName = "x"\n')
@example(b'.encoding = "undefined"\ndisplayName = "x"\n')
def test_any_bytes_are_a_vmx_that_says_little(content: bytes) -> None:
    found = vmx.adrift(content, HERE, nowhere)
    assert found.vmx == HERE
    assert all(isinstance(text, str) for text in (found.name, found.instance_uuid))
    assert HERE.volume in found.volumes
    found.name.encode()


def test_a_vmx_with_a_long_line_of_quotes_is_read_in_time() -> None:
    vmx.adrift(b'a = "' + b'" ' * 500_000, HERE, nowhere)
    vmx.adrift(b" " * 1_000_000 + b"=", HERE, nowhere)
    vmx.adrift(b'.encoding = "' * 70_000, HERE, nowhere)


def test_a_vmx_of_ten_megabytes_is_none(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    session = Session(ENDPOINT)
    monkeypatch.setattr(Session, "content", object())
    monkeypatch.setattr(session, "_stub", SimpleNamespace(cookie="vmware_soap_session=1; Path=/"))
    for size, read in ((10_000_000, None), (vmx.LONGEST + 1, None), (vmx.LONGEST, vmx.LONGEST)):
        peer = Peer([b"x" * size], http.client.OK)
        monkeypatch.setattr(tls, "connection", lambda *_, peer=peer: peer)
        content = session.download("/folder/app01/app01.vmx", {"dsName": "old-a"}, vmx.LONGEST)
        assert (content if content is None else len(content)) == read
        assert peer.handed_out <= vmx.LONGEST + 1
    assert "old-a /folder/app01/app01.vmx has more than" in caplog.text


# --- papers ---


def damaged(path: tuple[str, ...], value: Any) -> str:
    data = cast("dict[str, Any]", json.loads(PAPERS.dumps()))
    at = data
    for part in path[:-1]:
        at = at.setdefault(part, {})
    at[path[-1]] = value
    return json.dumps(data)


FIELDS = [(name,) for name in asdict(PAPERS)] + [
    ("metadata", name) for name in ("tags", "permissions", "rules", "groups", "overrides")
]


def sound(papers: Papers) -> None:
    """Use it as the migration does."""
    assert Papers.loads(papers.dumps()) == papers
    texts = (
        papers.leaving,
        papers.datacenter,
        papers.cluster,
        papers.folder,
        papers.pool,
        papers.host,
        *papers.addresses,
    )
    assert all(isinstance(text, str) for text in texts)
    assert all(isinstance(flag, bool) for flag in (papers.transit, papers.template, papers.tools, papers.healthy))
    papers.metadata.merged(papers.metadata).said()
    hash(papers.metadata)
    for pool in papers.pools:
        assert isinstance(pool.path, str)
        assert pool.cpu.shares.isdigit() in (True, False)
        assert pool.memory.reservation + pool.memory.limit is not None


@given(st.text() | VALUES.map(json.dumps))
@example(DEEP)
@example("9" * 10_000)
def test_any_text_is_papers_or_none(text: str) -> None:
    papers = Papers.loads(text)
    if papers is not None:
        sound(papers)


@given(st.sampled_from(FIELDS), VALUES)
@example(("folder",), 5)
@example(("transit",), "no")
@example(("metadata", "tags"), [{"category": "a", "name": 5}, {"category": "a", "name": "b"}])
@example(("metadata", "groups"), "abc")
@example(("pools",), [{"path": "x", "cpu": {"shares": 5}, "memory": {}}])
@settings(max_examples=400)
def test_papers_with_one_thing_changed_are_sound_or_none(path: tuple[str, ...], value: Any) -> None:
    papers = Papers.loads(damaged(path, value))
    if papers is not None:
        sound(papers)


# --- the stack's settings ---

KEYS_OF_SETTINGS = st.sampled_from([*Settings.config_keys(), "vcenter", "name", "vms", "hosts", "after", "window"])
STACKS = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS_OF_SETTINGS | TEXTS, inner, max_size=5),
    max_leaves=15,
)


def parse(values: dict[str, Any]) -> None:
    try:
        Settings.parse(values)
    except SettingsError as error:
        said = error.problems
    else:
        return
    assert said
    assert all(isinstance(problem, str) for problem in said)


@given(st.dictionaries(KEYS_OF_SETTINGS | TEXTS, STACKS | STACKS.map(json.dumps), max_size=8))
@settings(max_examples=300, deadline=None)
@example({"waves": DEEP})
@example({"source": [], "[key]": {}})
@example({"target": {"cluster": {"[key]": 1}}})
def test_any_settings_are_right_or_said_to_be_wrong(values: dict[str, Any]) -> None:
    parse(values)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_settings_with_one_thing_changed_are_right_or_said_to_be_wrong(data: st.DataObject) -> None:
    values = copy.deepcopy(GOOD)
    at: Any = values
    while True:
        places: list[Any] = list(at) if isinstance(at, dict) else list(range(len(at)))
        place = data.draw(st.sampled_from(places))
        if not isinstance(at[place], dict | list) or not at[place] or data.draw(st.booleans()):
            at[place] = data.draw(STACKS)
            break
        at = at[place]
    parse(values)


# --- answers of the REST API ---


class Peer:
    """A connection on which every answer is what the test says."""

    def __init__(self, texts: list[bytes], status: int) -> None:
        self.texts, self.status = texts, status
        self.handed_out = 0

    def request(self, *_: object, **__: object) -> None:
        pass

    def getresponse(self) -> Peer:
        return self

    def read(self, limit: int = -1) -> bytes:
        text = self.texts.pop(0) if len(self.texts) > 1 else self.texts[0]
        text = text[:limit] if limit >= 0 else text
        self.handed_out += len(text)
        return text

    def close(self) -> None:
        pass


ANSWERS = (
    st.binary(max_size=60)
    | VALUES.map(json.dumps).map(str.encode)
    | VALUES.map(lambda value: json.dumps({"value": value}).encode())
    | st.sampled_from(
        [b'{"value": ["urn:1"]}', b'{"value": [{"tag_id": "urn:1", "object_ids": [{"id": "vm-1", "type": 5}]}]}']
    )
)


@given(st.lists(ANSWERS, min_size=1, max_size=6), st.sampled_from([200, 400, 401, 404, 500]))
@example([DEEP.encode()], 200)
@example([b'{"value": {"messages": 5}}'], 400)
@settings(deadline=None)
def test_any_answer_is_tags_or_none(texts: list[bytes], status: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tls, "connection", lambda *_: Peer(list(texts), status))
        found = tagging.read(ENDPOINT)
    assert found is None or all(isinstance(vm, str) for vm in found)


def test_an_answer_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "LONGEST", 1000)
    monkeypatch.setattr(tls, "connection", lambda *_: Peer([b"[" * 10_000_000], http.client.OK))
    with pytest.raises(RestError, match="longer than"), Rest(ENDPOINT):
        pass


# --- names ---


@given(st.text(), st.text())
@example("a/b", "a%2fb")
@example("a%2fb", "a%252fb")
@example("a%2Fb", "a/b")
def test_no_two_names_are_one_segment_of_a_path(one: str, other: str) -> None:
    assert stored_segment(segment(encoded(one))) == encoded(one)
    assert "/" not in segment(encoded(one))
    assert (segment(encoded(one)) == segment(encoded(other))) == (one == other)
