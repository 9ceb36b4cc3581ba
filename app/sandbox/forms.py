"""Stripe's bracket syntax: `a[b][0][c]=1` becomes {"a": {"b": {"0": {"c": "1"}}}}."""

import re
from typing import Any
from urllib.parse import parse_qsl

from app.sandbox.errors import InvalidRequest

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_KEY = re.compile(r"\[([^\[\]]*)\]")
MOST_FIELDS = 5_000


def decode_form(text: str) -> dict[str, Any]:
    """The tree of a form body or query. Lists stay objects with numbers for keys. Raises InvalidRequest."""
    tree: dict[str, Any] = {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except (ValueError, UnicodeDecodeError) as error:
        raise InvalidRequest("Invalid request body: it is not a form in UTF-8.") from error
    for name, value in pairs:
        matched = _NAME.fullmatch(name)
        if matched is None:
            raise InvalidRequest(f"Invalid parameter name: {name}", param=name)
        _put(tree, [matched.group(1), *_KEY.findall(matched.group(2))], value, name)
    return tree


def _put(tree: dict[str, Any], keys: list[str], value: str, name: str) -> None:
    node = tree
    for depth, key in enumerate(keys):
        last = depth == len(keys) - 1
        slot = key or _next_slot(node, None if last else keys[depth + 1])
        if last:
            if slot in node:
                raise InvalidRequest(f"Invalid request: {name} is given twice.", param=name)
            node[slot] = value
            return
        node = node.setdefault(slot, {})
        if not isinstance(node, dict):
            raise InvalidRequest(f"Invalid object: {name} is both a value and an object.", param=name)


def _next_slot(node: dict[str, Any], inner: str | None) -> str:
    """`a[][b]=1&a[][c]=2` is one entry with b and c; a repeated b begins the next."""
    latest = node.get(str(len(node) - 1))
    if inner is not None and isinstance(latest, dict) and inner not in latest:
        return str(len(node) - 1)
    return str(len(node))
