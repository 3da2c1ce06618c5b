"""What pydantic finds wrong with a stack's settings, in the operator's words: the key's path, the value, what is allowed."""

from __future__ import annotations

import difflib
import typing
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import pydantic
from pydantic import BaseModel

from migration.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

M = typing.TypeVar("M", bound=BaseModel)

_COMING: Final = {
    ("method", "relay"): "moving live by a relay vCenter 6.7",
}
"""Values that documents about this product mention, and that this version does not have."""

_FORMS: Final = {
    "vcenter": "a host name or address, with :port where that is not 443",
    "hosts.name": "the host's name or address as it joins the vCenter, without spaces",
    "evc": "`auto` or the key of an EVC mode such as intel-haswell or amd-zen2",
    "uuid": "an instance UUID such as 502e71fa-1a9b-2c3d-4e5f-60718293a4b5",
    "servers": "a host name or address",
    "path": "the path of an export, which begins with a slash and has no spaces",
    "disk": "a disk's canonical name such as naa.68ccf098004f0000",
    "uplinks": "the name of a physical network card such as vmnic1",
    "upgrade.version": "a version of ESXi such as 7.0.3; put it in quotes",
    "depot": "a .zip file on a datastore such as [iso] esxi/depot.zip",
    "switch.version": "a version such as 6.6.0; put it in quotes",
    "host": "the name of a host, as in esxodus:target.hosts",
    "switch": "a host name or address, with :port where that is not 443",
    "fabrics.name": "a name that switches take: a letter, then up to 63 letters, digits and _ $ ^ -",
    "configuration": "a name that switches take: a letter, then up to 63 letters, digits and _ $ ^ -",
    "prefix": "a word that names of zones begin with: a letter, then up to 19 letters, digits and _",
    "hbas": "the name of a Fibre Channel adapter such as vmhba2",
    "reason": "a reason; it is reported with the warning that it accepts",
    "name": "one line of 1 to 80 characters that neither begins nor ends with a space",
}


_REASONS: Final = {
    "tuple_type": "must be a list",
    "dict_type": "must be keys with values",
    "model_type": "must be keys with values",
    "model_attributes_type": "must be keys with values",
    "string_type": "must be text; put it in quotes",
    "string_too_short": "must not be empty",
    "string_too_long": "must be at most {max_length} characters long",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "value_error": "{error}",
}
"""What pydantic may find with the forms that are used here, in our words; tests/unit/test_settings_words.py tries them all."""


def validated(model: type[M], data: Mapping[str, Any], problems: Sequence[str]) -> M:
    """Return the data as the model.

    Raises: SettingsError with what pydantic finds wrong and `problems`, those that were found otherwise.
    """
    try:
        settings = model.model_validate(data)
    except pydantic.ValidationError as error:
        raise SettingsError([*said(model, data, error), *problems]) from None
    if problems:
        raise SettingsError(problems)
    return settings


def said(model: type[BaseModel], data: Mapping[str, Any], error: pydantic.ValidationError) -> list[str]:
    """Return one sentence for each of pydantic's findings."""
    findings = error.errors()
    return [
        _sentence(model, data, found["loc"], found["type"], found.get("ctx", {}))
        for found in findings
        if not (found["type"] == "too_short" and any(_inside(other["loc"], found["loc"]) for other in findings))
    ]


def _inside(inner: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    """Say whether one place is within another: a list that only lacks its wrong items is not too short."""
    return len(inner) > len(outer) and inner[: len(outer)] == outer


def _sentence(
    model: type[BaseModel],
    data: Mapping[str, Any],
    place: tuple[int | str, ...],
    kind: str,
    context: Mapping[str, Any],
) -> str:
    key = str(place[-1]) if place else ""  # what is no text at all has no place
    about_key = (
        key == "[key]" and len(place) > 2 and kind != "extra_forbidden"
    )  # pydantic's word for a key, not its value
    path = _path(place[:-2] if about_key else place)
    if kind == "missing":
        return _missing(path, key)
    value = repr(place[-2]) if about_key else _shown(data, place)
    if kind == "extra_forbidden":
        known = sorted(_keys(model, place[:-1]))
        near = difflib.get_close_matches(key, known, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
        return f"{path}: there is no such key; {hint}"
    names = tuple(str(part) for part in place if isinstance(part, str))
    for known_place, what in _COMING.items():
        if names[-len(known_place) + 1 :] == known_place[:-1] and value == repr(known_place[-1]):
            return f"{path}: {value}: {what} is not available in this version{_allowed(context)}"
    if kind == "string_pattern_mismatch":
        form = next((_FORMS[name] for name in (".".join(names[-2:]), names[-1]) if name in _FORMS), _FORMS["name"])
        return f"{path}: {value} is not {form}"
    if kind == "too_short":
        return f"{path}: empty; at least one is needed"
    reason = _REASONS[kind].format_map(context) if kind in _REASONS else "is not what is expected here"
    return f"{path}: {value}: {reason}" if value else f"{path}: {reason}"


def _missing(path: str, key: str) -> str:
    if key.endswith("Password"):
        return f"{path}: missing; set it with `pulumi config set --secret {key}`"
    return f"{path}: missing"


def _allowed(context: Mapping[str, Any]) -> str:
    return f"; allowed: {context['expected']}" if "expected" in context else ""


def _path(place: tuple[int | str, ...]) -> str:
    """Return the place as `esxodus:target.hosts[1].name`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return f"esxodus:{text.removeprefix('.')}"


def _shown(data: object, place: Iterable[int | str]) -> str:
    """Return the value at the place, never a password; nothing of what has values of its own."""
    value = data
    for part in place:
        if str(part).endswith("Password"):
            return "(secret)"
        try:
            value = value[part]  # type: ignore[index] # whatever the operator wrote; what does not fit ends the walk
        except (KeyError, IndexError, TypeError):
            break
    if isinstance(value, dict | list | tuple):
        return ""
    text = value.isoformat() if isinstance(value, date) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _keys(model: type[BaseModel], place: Iterable[int | str]) -> set[str]:
    """Return the keys that are allowed at the place."""
    here = {model}
    for part in place:
        if isinstance(part, str):
            here = {
                inner
                for outer in here
                for field in outer.model_fields.values()
                if field.alias == part
                for inner in _models(field.annotation)
            }
    return {field.alias or name for inner in here for name, field in inner.model_fields.items()}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that an annotation names, however deep."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from _models(inner)
