"""Kinds of parameters: each reads what a form sent into a typed value, or raises the error that Stripe gives.

An operation's parameters are one `Record`. A value that may be unset reads as "" when the form sends it empty.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from app.sandbox.errors import InvalidRequest, missing_parameter, unknown_parameter, unsupported_parameter
from app.sandbox.money import CURRENCIES

MOST_METADATA, LONGEST_METADATA_KEY, LONGEST_METADATA_VALUE = 50, 40, 500
_WHOLE = re.compile(r"-?\d{1,18}")
_NUMBER = re.compile(r"-?\d{1,12}(\.\d{1,12})?")
_URL = re.compile(r"https?://[^/\s]+\S*")


class Kind(Protocol):
    """One kind of parameter."""

    def read(self, value: object, name: str) -> Any:
        """The typed value. `name` is the full bracketed name, for the error."""


@dataclass(frozen=True)
class Text:
    longest: int = 5000
    choices: tuple[str, ...] = ()
    can_unset: bool = False

    def read(self, value: object, name: str) -> str:
        if not isinstance(value, str):
            raise InvalidRequest(f"Invalid string: {value}", param=name)
        if value == "":
            if self.can_unset:
                return ""
            raise InvalidRequest(
                f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a parameter; "
                f"however '{name}' cannot be unset. You should remove '{name}' from your request or supply a non-empty "
                "value.",
                code="parameter_invalid_empty",
                param=name,
            )
        if self.choices and value not in self.choices:
            listed = ", ".join(self.choices[:-1]) + (" or " if len(self.choices) > 1 else "") + self.choices[-1]
            raise InvalidRequest(f"Invalid {name}: must be one of {listed}", param=name)
        if len(value) > self.longest:
            raise InvalidRequest(
                f"Invalid string: {value[:20]}...; must be at most {self.longest} characters", param=name
            )
        return value


@dataclass(frozen=True)
class Address:
    """An absolute http or https address."""

    longest: int = 5000

    def read(self, value: object, name: str) -> str:
        text = Text(self.longest).read(value, name)
        if not _URL.fullmatch(text):
            raise InvalidRequest("Not a valid URL", code="url_invalid", param=name)
        return text


@dataclass(frozen=True)
class Currency:
    def read(self, value: object, name: str) -> str:
        text = Text().read(value, name).lower()
        if text not in CURRENCIES:
            raise InvalidRequest(
                f"Invalid currency: {text}. Stripe currently supports these currencies: "
                f"{', '.join(sorted(CURRENCIES))}",
                param=name,
            )
        return text


@dataclass(frozen=True)
class Email:
    longest: int = 512

    def read(self, value: object, name: str) -> str:
        text = Text(self.longest).read(value, name)
        if not is_email(text):
            raise InvalidRequest(f"Invalid email address: {text}", code="email_invalid", param=name)
        return text


@dataclass(frozen=True)
class Whole:
    least: int | None = None
    most: int | None = None

    def read(self, value: object, name: str) -> int:
        if not isinstance(value, str) or not _WHOLE.fullmatch(value):
            raise InvalidRequest(f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
        number = int(value)
        if self.least is not None and number < self.least:
            raise InvalidRequest(
                f"This value must be greater than or equal to {self.least}.",
                code="parameter_invalid_integer",
                param=name,
            )
        if self.most is not None and number > self.most:
            raise InvalidRequest(
                f"This value must be less than or equal to {self.most}.", code="parameter_invalid_integer", param=name
            )
        return number


@dataclass(frozen=True)
class Number:
    def read(self, value: object, name: str) -> float:
        if not isinstance(value, str) or not _NUMBER.fullmatch(value):
            raise InvalidRequest(f"Invalid decimal: {value}", param=name)
        return float(value)


@dataclass(frozen=True)
class Flag:
    def read(self, value: object, name: str) -> bool:
        if value not in ("true", "false"):
            raise InvalidRequest(f"Invalid boolean: {value}", param=name)
        return value == "true"


@dataclass(frozen=True)
class Metadata:
    """At most 50 keys of 40 characters with values of 500; an empty value removes its key, an empty whole all keys."""

    can_unset: bool = True

    def read(self, value: object, name: str) -> dict[str, str] | str:
        if value == "" and self.can_unset:
            return ""
        if not isinstance(value, dict):
            raise InvalidRequest("Invalid object", param=name)
        if len(value) > MOST_METADATA:
            raise InvalidRequest(
                f"Invalid metadata: metadata can have at most 50 keys, but {len(value)} were given.", param=name
            )
        for key, item in value.items():
            if not isinstance(item, str):
                raise InvalidRequest(
                    "Invalid metadata: metadata values must be strings, but an object was given.",
                    param=f"{name}[{key}]",
                )
            if len(key) > LONGEST_METADATA_KEY:
                raise InvalidRequest(
                    f"Metadata keys can have up to 40 characters, but {key} has {len(key)}.", param=name
                )
            if len(item) > LONGEST_METADATA_VALUE:
                raise InvalidRequest(
                    f"Metadata values can have up to 500 characters, but you passed in a value of {len(item)}.",
                    param=f"{name}[{key}]",
                )
        return value


@dataclass(frozen=True)
class Several:
    """A list."""

    item: Kind
    most: int | None = None
    can_unset: bool = False

    def read(self, value: object, name: str) -> list[Any]:
        if value == "" and self.can_unset:
            return []
        if not isinstance(value, dict) or not all(key.isdigit() for key in value):
            raise InvalidRequest("Invalid array", param=name)
        if self.most is not None and len(value) > self.most:
            raise InvalidRequest(f"Array {name} exceeded maximum {self.most} allowed elements.", param=name)
        return [self.item.read(value[key], f"{name}[{key}]") for key in sorted(value, key=int)]


@dataclass(frozen=True)
class Record:
    """An object with fields known by name. Fields in `elsewhere` are Stripe's, but not this sandbox's."""

    fields: Mapping[str, Kind]
    required: tuple[str, ...] = ()
    elsewhere: frozenset[str] = frozenset()
    can_unset: bool = False

    def read(self, value: object, name: str = "") -> Any:
        if value == "" and self.can_unset:
            return ""
        if not isinstance(value, dict):
            raise InvalidRequest("Invalid object", param=name)
        read = {}
        for key, item in value.items():
            full = f"{name}[{key}]" if name else key
            kind = self.fields.get(key)
            if kind is None:
                raise (unsupported_parameter if key in self.elsewhere else unknown_parameter)(full)
            read[key] = kind.read(item, full)
        for key in self.required:
            if key not in read:
                raise missing_parameter(f"{name}[{key}]" if name else key)
        return read


@dataclass(frozen=True)
class Range:
    """A time, or any of gt, gte, lt, lte: as `created[gte]` in lists."""

    def read(self, value: object, name: str) -> dict[str, int]:
        if isinstance(value, str):
            return {"eq": Whole().read(value, name)}
        bounds = Record({bound: Whole() for bound in ("gt", "gte", "lt", "lte")})
        read: dict[str, int] = bounds.read(value, name)
        return read


def is_email(text: str) -> bool:
    """One @, a dotted host, nothing that could end a header line."""
    return bool(re.fullmatch(r"[^@\s<>,;\"]{1,64}@[^@\s<>,;\"]+\.[^@\s<>,;\".]+", text))


EXPAND = Several(Text(), most=20)


def operation(fields: Mapping[str, Kind] | None = None, required: tuple[str, ...] = (), elsewhere: str = "") -> Record:
    """The parameters of one operation; every one of them takes `expand`."""
    return Record({**(fields or {}), "expand": EXPAND}, required, frozenset(elsewhere.split()))


def listing(fields: Mapping[str, Kind] | None = None, elsewhere: str = "") -> Record:
    """The parameters of a list."""
    pages: dict[str, Kind] = {
        "limit": Whole(1, 100),
        "starting_after": Text(),
        "ending_before": Text(),
    }
    return operation({**pages, **(fields or {})}, elsewhere=elsewhere)


def merge_metadata(current: Mapping[str, str] | None, change: dict[str, str] | str) -> dict[str, str]:
    """What an update leaves: given keys replace, empty ones go, an empty whole clears."""
    if change == "" or isinstance(change, str):
        return {}
    merged = {**(current or {}), **change}
    kept = {key: value for key, value in merged.items() if value != ""}
    if len(kept) > MOST_METADATA:
        raise InvalidRequest("Invalid metadata: metadata can have at most 50 keys.", param="metadata")
    return kept
