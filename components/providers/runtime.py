"""The one adapter to Pulumi's dynamic resource server (`pulumi/dynamic/__main__.py` of the pinned SDK).

The stock server runs four calls at a time, ignores Cancel, answers every exception with a traceback, forgets what a failed
create had reached, and works on as an orphan when the CLI is killed. `install`, called from a provider's `configure`, mends
all five from inside the server's process. Each mend is guarded: where the expected internals are not found, that is said
once and the stock behaviour remains. tests/engine/test_runtime.py holds the contract against the real engine.

A provider takes `current_call()` once, at the start of each method, in the thread that the server called it in.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import grpc
from google.protobuf import any_pb2
from google.rpc import status_pb2  # type: ignore[import-untyped] # its wheel has no stubs
from pulumi.runtime import rpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2

from components.providers import ancestry, dead_lock, progress
from migration import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType

CALLS_AT_ONCE: Final = 256
"""Calls that the server may run at once. The real work is throttled by the vSphere cost model, not by threads."""

stop: Final = threading.Event()
"""Set once the operator asked to stop (Ctrl-C), or the engine is gone: finish at the next safe point."""

Severity = Literal["info", "warning", "error"]
_LEVELS: Final = {"info": engine_pb2.INFO, "warning": engine_pb2.WARNING, "error": engine_pb2.ERROR}

_log = logging.getLogger(__name__)
_installing = threading.Lock()
_installed: list[str] = []
_engine: list[engine_pb2_grpc.EngineStub] = []


class _Context(Protocol):
    """What is used of a gRPC call's context."""

    def set_trailing_metadata(self, metadata: tuple[tuple[str, bytes], ...]) -> None: ...


@dataclass(slots=True)
class Call:
    """One call of the engine to a provider: whom it is about, and the ways to answer before it returns."""

    urn: str = ""
    timeout: float = 0.0  # seconds of the resource's customTimeouts; 0: none
    provider: str = ""  # the serialised provider, which the state must keep
    context: _Context | None = None
    throttle: progress.Throttle = field(default_factory=lambda: progress.Throttle(live=progress.watched()))

    def say(self, message: str, *, severity: Severity = "info", ephemeral: bool = False) -> None:
        """Show `message` at the resource; an ephemeral one is replaced by the next and leaves no trace."""
        level = _LEVELS[severity]
        _report(engine_pb2.LogRequest(severity=level, message=message, urn=self.urn, ephemeral=ephemeral))

    def progress(self, phase: str, percent: int | None) -> None:
        """Show what goes on, as often as the operator's output can bear; satisfies `migration.sites.Progress`."""
        if self.throttle.admits(phase, percent, time.monotonic()):
            self.say(
                phase if percent is None else f"{percent} % {phase}", ephemeral=True
            )  # a narrow terminal cuts the end

    @contextlib.contextmanager
    def keeping(self, id_: str, outputs: Mapping[str, Any]) -> Iterator[None]:
        """Keep `id_` and `outputs`, as they are when the block fails, in the state: the next `up` resumes by an update.

        Only for create and update. Raises: MigrationError, in place of whatever the block raised.
        """
        try:
            yield
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the state must keep the resource
            message = one_message(error)
            if self.context is not None:
                kept = {**outputs, "__provider": self.provider}
                self.context.set_trailing_metadata((("grpc-status-details-bin", _partial(id_, kept, message)),))
            raise errors.MigrationError(message) from None


def current_call() -> Call:
    """Return the call that the server is making in this thread; outside the server, one that reports to the log."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        seen = frame.f_locals
        if frame.f_code.co_name in ("Check", "Diff", "Create", "Update", "Read", "Delete") and "request" in seen:
            request = seen["request"]
            inputs = getattr(request, "news", None) or getattr(request, "properties", None) or {}
            return Call(
                urn=str(getattr(request, "urn", "")),
                timeout=float(getattr(request, "timeout", 0.0)),
                provider=str(inputs["__provider"]) if "__provider" in inputs else "",
                context=seen.get("context"),
            )
        frame = frame.f_back
    return Call()


def one_message(error: BaseException) -> str:
    """Return what the operator is told: a foreseen error's own message, or one line that says where the traceback is."""
    if isinstance(error, errors.MigrationError):
        return str(error)
    where = progress.keep_traceback(error)
    return f"{type(error).__name__}: {error} — this was not foreseen and is a defect of Esxodus; the traceback is in {where}"


def install() -> None:
    """Mend the dynamic server that runs this process. Called by each provider's `configure`; only the first call acts."""
    with _installing:
        if _installed:
            return
        _installed.append("installed")
        server = sys.modules["__main__"]
        if not hasattr(server, "DynamicResourceProviderServicer"):
            _log.debug("not inside Pulumi's dynamic server: nothing to mend")
            return
        address = sys.argv[-1]
        _engine.append(engine_pb2_grpc.EngineStub(grpc.insecure_channel(address)))
        mends: dict[str, Callable[[], bool]] = {
            "more than four calls at once": _widen,
            "stopping at a safe point on Ctrl-C": lambda: _hear_cancel(server),
            "clean error messages": lambda: _say_errors_plainly(server),
            "ending when the CLI was killed": lambda: _watch_engine(address),
        }
        lost = [what for what, mend in mends.items() if not _tried(mend)]
        if lost:
            _report(
                engine_pb2.LogRequest(
                    severity=engine_pb2.WARNING,
                    message=f"this version of the Pulumi SDK is not known here; to do without: {', '.join(lost)}",
                )
            )


def _tried(mend: Callable[[], bool]) -> bool:
    try:
        return mend()
    except (AttributeError, TypeError, ValueError):  # the internals are not as expected
        return False


def _widen() -> bool:
    """Let the pool that runs this very thread start more threads."""
    for _ in range(5):
        for pool in gc.get_objects():
            if isinstance(pool, ThreadPoolExecutor) and threading.current_thread() in pool._threads:
                pool._max_workers = max(pool._max_workers, CALLS_AT_ONCE)
                return True
        time.sleep(0.02)  # a pool lists a thread only after starting it
    return False


def _cancel(self: object, request: object, context: object) -> object:  # noqa: ARG001 - the server's signature
    # Runs as the server's own Cancel, with its globals: everything used is imported here.
    from google.protobuf import empty_pb2

    from components.providers import runtime

    runtime.stop.set()
    return empty_pb2.Empty()


def _hear_cancel(server: Any) -> bool:
    """Make Cancel set the stop flag. The gRPC handlers hold the bound method, so its code is exchanged, not the method."""
    method = server.DynamicResourceProviderServicer.Cancel
    if method.__code__.co_varnames[:3] != ("self", "request", "context"):
        return False
    method.__code__ = _cancel.__code__
    return True


class _Traceback:
    """Stands in for the module `traceback` inside the server, which answers a failed call with `format_exc()`."""

    @staticmethod
    def format_exc() -> str:
        error = sys.exc_info()[1]
        return "no error" if error is None else one_message(error)


def _say_errors_plainly(server: Any) -> bool:
    if not callable(server.traceback.format_exc):
        return False
    server.traceback = _Traceback
    return True


def _watch_engine(address: str) -> bool:
    """End this process soon after the engine has: an orphan would work on a VM beside the next run."""
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        return False
    watch = (host, int(port), frozenset(ancestry.ancestors()))
    threading.Thread(target=_outlive_no_engine, args=watch, name="engine-watch", daemon=True).start()
    return True


def _outlive_no_engine(host: str, port: int, ancestors: frozenset[int]) -> None:
    missed = 0
    while missed < 3:
        try:
            socket.create_connection((host, port), timeout=2).close()
            missed = 0
            time.sleep(1)
        except OSError:
            missed += 1
            time.sleep(0.2)
    stop.set()
    time.sleep(1)  # what runs comes to its next safe point
    with contextlib.suppress(OSError):  # a lock that stays is a nuisance, no danger
        dead_lock.remove(ancestors)
    os.kill(os.getpid(), signal.SIGINT)  # the server's own way to end: sessions are logged out
    time.sleep(1)
    os._exit(1)


def _partial(id_: str, outputs: Mapping[str, Any], reason: str) -> bytes:
    """Return the status that makes the engine store a resource whose create or update failed half-way."""
    loop = asyncio.new_event_loop()
    try:
        properties = loop.run_until_complete(rpc.serialize_properties(dict(outputs), {}))
    finally:
        loop.close()
    detail = any_pb2.Any()
    detail.Pack(provider_pb2.ErrorResourceInitFailed(id=id_, properties=properties, reasons=[reason]))
    # The code must equal the one that the server aborts the call with.
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=reason, details=[detail])
    return bytes(status.SerializeToString())


def _report(message: engine_pb2.LogRequest) -> None:
    if not _engine:
        _log.info("%s", message.message)
        return
    try:
        _engine[0].Log(message, timeout=5)
    except grpc.RpcError as error:
        # The operator's screen is not worth a migration: the watch decides whether the engine is gone.
        _log.debug("the engine did not take a message: %s", error)
