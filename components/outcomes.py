"""What the engine answers of a resource that did not come about, and the SDK keeps to itself.

With --continue-on-error a program goes on where a resource failed. The SDK then gives it no outputs, and does not say whether
the resource failed or was not begun, because something that it depends on had failed. The engine's answer says which, and has
the outputs that a failed one left in the state. Where the SDK is not as it is expected here, each counts as failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulumi.runtime import rpc, settings
from pulumi.runtime.proto import resource_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SKIPPED: Final = 2
"""As the engine numbers it; the SDK's own list of results ends with FAIL."""

_answers: Final[dict[str, Any]] = {}


def listen() -> None:
    """Keep the engine's answers about what does not come about from now on."""
    monitor: Any = settings.get_monitor()
    register = getattr(monitor, "RegisterResource", None)
    if register is not None and not isinstance(register, _Heard):
        monitor.RegisterResource = _Heard(register)


def of(urn: str | None, names: Sequence[str]) -> dict[str, Any]:
    """Return `notBegun`, or `failed` with the named outputs where it has left any, of a resource that did not come about."""
    answer = _answers.get(urn or "")
    if answer is None:
        return {"failed": True}
    if answer.result == _SKIPPED:
        return {"notBegun": True}
    known = rpc.deserialize_properties(answer.object)
    left = known.get(names[0]) is not None  # else it failed before it had outputs
    return {"failed": True, **({name: known.get(name) for name in names} if left else {})}


class _Heard:
    """The call with which the SDK registers a resource; its answer is kept before it is passed on."""

    def __init__(self, register: Callable[..., Any]) -> None:
        self._register = register

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        answer = self._register(*arguments, **named)
        if getattr(answer, "result", resource_pb2.Result.SUCCESS) != resource_pb2.Result.SUCCESS:
            _answers[answer.urn] = answer
        return answer
