"""Pages of a list, newest first, by cursor; and the filters that Stripe's lists take."""

import json
from dataclasses import dataclass
from typing import Any

from app.sandbox.documents import Document
from app.sandbox.errors import InvalidRequest, no_such_reference
from app.sandbox.store import Transaction

DEFAULT_LIMIT = 10
COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "="}


@dataclass(frozen=True)
class Filter:
    """A parameter that must equal a field of the object."""

    parameter: str
    path: str


def list_page(
    transaction: Transaction, kind: str, url: str, params: Document, filters: tuple[Filter, ...] = ()
) -> Document:
    """Stripe's list object for a kind. Raises InvalidRequest where a cursor names no object."""
    conditions, values = ["object = ?"], [kind]
    for bound, value in params.get("created", {}).items():
        conditions.append(f"created {COMPARISONS[bound]} ?")
        values.append(value)
    for chosen in filters:
        if chosen.parameter not in params:
            continue
        value = params[chosen.parameter]
        wanted = value if isinstance(value, list) else [value]
        conditions.append(f"json_extract(json, '$.{chosen.path}') IN ({', '.join('?' * len(wanted))})")
        values += wanted
    return page_where(transaction, kind, url, params, conditions=conditions, values=values)


def page_where(
    transaction: Transaction, kind: str, url: str, params: Document, *, conditions: list[str], values: list[Any]
) -> Document:
    """The page that `limit`, `starting_after` and `ending_before` point at among the rows that fit."""
    after, before = params.get("starting_after"), params.get("ending_before")
    if after and before:
        raise InvalidRequest("You cannot parameterize starting_after and ending_before at the same time.")
    limit = params.get("limit", DEFAULT_LIMIT)
    if after:
        conditions, values = [*conditions, "seq < ?"], [*values, _position(transaction, kind, after, "starting_after")]
    if before:
        conditions, values = [*conditions, "seq > ?"], [*values, _position(transaction, kind, before, "ending_before")]
    order = "ASC" if before else "DESC"
    found = transaction.rows(
        f"SELECT json FROM objects WHERE {' AND '.join(conditions)} ORDER BY seq {order} LIMIT ?",  # noqa: S608 (conditions are ours)
        *values,
        limit + 1,
    )
    data = [json.loads(row["json"]) for row in found[:limit]]
    if before:
        data.reverse()
    return {"object": "list", "url": url, "has_more": len(found) > limit, "data": data}


def page_of(items: list[Document], url: str, params: Document) -> Document:
    """A page of a list that is already here, in its own order."""
    ids = [item["id"] for item in items]
    start, limit = 0, params.get("limit", DEFAULT_LIMIT)
    end = len(items)
    if after := params.get("starting_after"):
        if after not in ids:
            raise no_such_reference("item", after, param="starting_after")
        start = ids.index(after) + 1
    if before := params.get("ending_before"):
        if before not in ids:
            raise no_such_reference("item", before, param="ending_before")
        end = ids.index(before)
        start = max(start, end - limit)
        return {"object": "list", "url": url, "has_more": start > 0, "data": items[start:end]}
    return {"object": "list", "url": url, "has_more": end - start > limit, "data": items[start : start + limit]}


def _position(transaction: Transaction, kind: str, identifier: str, param: str) -> int:
    row = transaction.row("SELECT seq FROM objects WHERE id = ? AND object = ?", identifier, kind)
    if row is None:
        raise no_such_reference(kind, identifier, param=param)
    return int(row["seq"])
