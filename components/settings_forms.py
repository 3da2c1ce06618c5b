"""The forms that single values of a stack's settings have."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

_THUMBPRINT: Final = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){19}|[0-9A-F]{2}(:[0-9A-F]{2}){31}")

_PORT: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){7}")


class Model(BaseModel):
    """What all models of settings share: nothing changes later, and a key that is not known is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, hide_input_in_errors=True)

    @property
    def written(self) -> dict[str, Any]:
        """The fields that the operator wrote, by field name: what is left out is for somebody else to say."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def _thumbprint(value: object) -> str:
    text = str(value).strip().upper()
    if not _THUMBPRINT.fullmatch(text):
        raise ValueError(
            "must be the SHA-1 or SHA-256 of the certificate: 20 or 32 pairs of hex digits with colons between"
        )
    return text


def _port_name(value: object) -> str:
    text = str(value).strip().lower()
    if not _PORT.fullmatch(text):
        raise ValueError(
            "must be the name of a Fibre Channel port: 8 pairs of hex digits with colons between, in quotes"
        )
    return text


def _sha1(value: str) -> str:
    if len(value) != 59:
        raise ValueError("must be a SHA-1 thumbprint, 20 pairs: vCenter takes no other for a host that joins")
    return value


def _bracketless(value: str) -> str:
    if "[" in value or "]" in value:
        raise ValueError(
            "must have no brackets, which vSphere puts around it in the path of a file; rename it in its vCenter"
        )
    return value


def _moment(value: object) -> datetime:
    """Read ISO 8601 with its offset: a time without one would mean another moment on another machine."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError("must be a date and a time with its offset from UTC, such as 2026-12-01T22:00+09:00")
    return moment


def _switch(value: object) -> object:
    """Let `off` say that something is not wanted. YAML's readers differ on whether a bare `off` is a word or false."""
    if value is None:
        raise ValueError("must be keys with values, or off")
    return None if value is False or value == "off" else value


def as_named(value: object) -> object:
    """Let a VM be written as its bare name."""
    return value if isinstance(value, dict) else {"name": value}


Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^\S(.*\S)?$")]
StoreName = Annotated[Name, AfterValidator(_bracketless)]
Existing = Annotated[str, Field(min_length=1, max_length=80)]
"""The name of something at the source, which is as it is."""
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")]
Server = Annotated[str, Field(pattern=r"^([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?$")]
Thumbprint = Annotated[str, BeforeValidator(_thumbprint)]
HostThumbprint = Annotated[Thumbprint, AfterValidator(_sha1)]
Evc = Annotated[str, Field(pattern=r"^(auto|(intel|amd)-[a-z0-9-]+)$")]
FabricName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_$^-]{0,63}$")]
FabricWord = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,19}$")]
Adapter = Annotated[str, Field(pattern=r"^vmhba[0-9]+$")]
PortName = Annotated[str, BeforeValidator(_port_name)]
Seconds = Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
OrOff: Final = BeforeValidator(_switch)
"""Marks what may be `off`: None then."""
