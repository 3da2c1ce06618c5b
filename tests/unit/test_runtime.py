"""The mends of the dynamic server, each on a stand-in; tests/engine/test_runtime.py shows them on the real one."""

from __future__ import annotations

import contextlib
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from google.rpc import status_pb2  # type: ignore[import-untyped] # its wheel has no stubs
from pulumi.runtime.proto import provider_pb2

from components.providers import runtime
from migration.errors import MigrationError, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _unasked() -> Iterator[None]:
    yield
    runtime.stop.clear()


def test_only_the_pool_that_runs_the_call_is_widened() -> None:
    with ThreadPoolExecutor(1) as other, ThreadPoolExecutor(1) as pool:
        other.submit(int).result()
        assert pool.submit(runtime._widen).result()
        assert pool._max_workers == runtime.CALLS_AT_ONCE
        assert other._max_workers == 1


def test_outside_a_pool_nothing_is_widened() -> None:
    assert not runtime._widen()


def test_cancel_sets_the_stop_flag_even_through_a_method_that_was_bound_before() -> None:
    class DynamicResourceProviderServicer:
        def Cancel(self, request: object, context: object) -> object:  # noqa: N802, ARG002 - as the SDK has it
            return None

    bound = DynamicResourceProviderServicer().Cancel
    server = types.SimpleNamespace(DynamicResourceProviderServicer=DynamicResourceProviderServicer)
    assert runtime._hear_cancel(server)
    bound(None, None)
    assert runtime.stop.is_set()


def test_internals_that_are_not_as_expected_are_left_alone() -> None:
    class Other:
        def Cancel(self, call: object) -> object:  # noqa: N802 - as the SDK has it
            return call

    server = types.SimpleNamespace(DynamicResourceProviderServicer=Other)
    assert not runtime._tried(lambda: runtime._hear_cancel(server))
    assert not runtime._tried(lambda: runtime._say_errors_plainly(server))
    assert not runtime._tried(lambda: runtime._watch_engine("unix:/somewhere"))
    assert Other().Cancel(1) == 1


def test_the_server_answers_with_the_message_instead_of_a_traceback() -> None:
    import traceback

    server = types.SimpleNamespace(traceback=traceback)
    assert runtime._say_errors_plainly(server)
    with contextlib.ExitStack() as stack:
        stack.push(lambda *_: server.traceback.format_exc() == "vc60: the password is wrong")
        raise Refused("vc60: the password is wrong")


def test_the_call_is_found_from_within_and_keeps_what_was_reached() -> None:
    kept: list[Any] = []

    class Context:
        def set_trailing_metadata(self, metadata: tuple[tuple[str, bytes], ...]) -> None:
            kept.extend(metadata)

    def Create(request: Any, context: Context) -> None:  # noqa: N802, ARG001 - the frame that is looked for
        call = runtime.current_call()
        assert (call.urn, call.timeout, call.provider) == ("urn:1", 90.0, "pickled")
        outputs = {"phase": "copying"}
        with call.keeping("5000-1", outputs):
            outputs["phase"] = "half"
            raise Refused("no more room")

    request = types.SimpleNamespace(urn="urn:1", timeout=90.0, properties={"__provider": "pickled"})
    with pytest.raises(MigrationError, match="no more room"):
        Create(request, Context())
    ((key, value),) = kept
    assert key == "grpc-status-details-bin"
    status = status_pb2.Status.FromString(value)
    failed = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(failed)
    assert (failed.id, list(failed.reasons)) == ("5000-1", ["no more room"])
    assert dict(failed.properties.items()) == {"phase": "half", "__provider": "pickled"}


def test_a_call_of_another_thread_is_not_taken_for_ones_own() -> None:
    found: list[runtime.Call] = []

    def Create(request: object) -> None:  # noqa: N802, ARG001 - the frame that must not be found
        thread = threading.Thread(target=lambda: found.append(runtime.current_call()))
        thread.start()
        thread.join()

    Create(types.SimpleNamespace(urn="urn:1"))
    assert found[0].urn == ""
