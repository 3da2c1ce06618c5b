"""What a program declares, recorded without an engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
from pulumi.runtime import mocks, rpc
from pulumi.runtime.proto import resource_pb2

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Declared:
    """One resource as the engine would have been told of it."""

    type: str
    name: str
    urn: str
    parent: str
    inputs: dict[str, Any]
    depends_on: frozenset[str]
    retained: bool
    ignored: frozenset[str]
    secret: frozenset[str]
    provider: str


class _Answers(pulumi.runtime.Mocks):
    """Answers each registration with its inputs; outputs that only a provider knows are made of the name."""

    def __init__(self, state: dict[str, Any], busy: int, outputs: dict[str, Any]) -> None:
        self.state = state
        self.busy = busy
        self.outputs = outputs

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        return f"id of {args.name}", {**args.inputs, "moid": f"moid of {args.name}", **self.outputs.get(args.name, {})}

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        assert args.token == "pulumi:pulumi:readStackResourceOutputs"
        self.busy -= 1
        if self.busy >= 0:
            return {}, [("stackName", "failed to load checkpoint: EOF")]
        return {"outputs": self.state}, []


@dataclass
class Recorder(mocks.MockMonitor):
    """Stands in for the engine.

    `state` is what it says of the stack's own resources, `outputs` what providers answer, by name; resources in `failing` fail,
    those in `skipped` are not begun.
    """

    state: dict[str, Any] = field(default_factory=dict)
    busy: int = 0  # how often the state cannot be read, because the engine is writing it
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    failing: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)
    declared: list[Declared] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(_Answers(self.state, self.busy, self.outputs))

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the engine's name
        """Record the request and answer it."""
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call] # the SDK's own monitor is not typed
        if request.name in self.failing:
            response.result = resource_pb2.Result.FAIL
        if request.name in self.skipped:
            response.result = 2  # the SDK has no name for it; the engine calls it SKIP
        if request.type != "pulumi:pulumi:Stack":
            inputs = rpc.deserialize_properties(request.object)
            self.declared.append(
                Declared(
                    type=request.type,
                    name=request.name,
                    urn=response.urn,
                    parent=request.parent.rpartition("::")[2],
                    inputs={key: rpc.unwrap_rpc_secret(value) for key, value in inputs.items()},
                    depends_on=frozenset(urn.rpartition("::")[2] for urn in request.dependencies),
                    retained=request.retainOnDelete,
                    ignored=frozenset(request.ignoreChanges),
                    secret=frozenset(key for key, value in inputs.items() if rpc.is_rpc_secret(value)),
                    provider=request.provider,
                )
            )
        return response

    def of(self, kind: str) -> list[Declared]:
        """Return the resources whose type ends so."""
        return [declared for declared in self.declared if declared.type.endswith(kind)]

    def one(self, kind: str) -> Declared:
        """Return the only resource whose type ends so."""
        (found,) = self.of(kind)
        return found

    def run(self, program: Callable[[], object], *, preview: bool = False) -> None:
        """Run a program to its end."""
        pulumi.runtime.set_mocks(self.mocks, project="esxodus", stack="test", preview=preview, monitor=self)
        pulumi.runtime.test(program)()  # type: ignore[no-untyped-call] # nor is its decorator


@pytest.fixture
def engine() -> Recorder:
    """A recorder of a stack without state."""
    return Recorder()
