"""Past events by the API: thirty days back, and no further."""

from app.sandbox.documents import Document
from app.sandbox.errors import no_such
from app.sandbox.levers import list_levers
from app.sandbox.listing import COMPARISONS, page_where
from app.sandbox.parameters import Flag, Range, Several, Text, listing
from app.sandbox.store import Transaction

RETENTION_SECONDS = 30 * 86_400
LIST = listing(
    {"created": Range(), "delivery_success": Flag(), "type": Text(), "types": Several(Text(), most=20)},
)
_FORGOTTEN = "events_forgotten_up_to"
_UNDELIVERED = "EXISTS (SELECT 1 FROM deliveries WHERE event_id = objects.id AND state <> 'delivered')"


def retrieve_event(transaction: Transaction, _params: Document, identifier: str) -> Document:
    conditions, values = _remembered(transaction)
    known = transaction.row(
        f"SELECT 1 FROM objects WHERE id = ? AND {' AND '.join(conditions)}",  # noqa: S608 (conditions are ours)
        identifier,
        *values,
    )
    if known is None:
        raise no_such("event", identifier, param="id")
    return transaction.get("event", identifier) | {"pending_webhooks": _waiting(transaction, identifier)}


def list_events(transaction: Transaction, params: Document) -> Document:
    """Types may be patterns such as `charge.*`. `delivery_success` asks whether every endpoint has answered 2xx."""
    conditions, values = _remembered(transaction)
    for bound, value in params.get("created", {}).items():
        conditions.append(f"created {COMPARISONS[bound]} ?")
        values.append(value)
    wanted = params.get("types") or ([params["type"]] if "type" in params else [])
    if wanted:
        conditions.append("(" + " OR ".join(["json_extract(json, '$.type') GLOB ?"] * len(wanted)) + ")")
        values += wanted
    if "delivery_success" in params:
        conditions.append(f"NOT {_UNDELIVERED}" if params["delivery_success"] else _UNDELIVERED)
    page = page_where(transaction, "event", "/v1/events", params, conditions=conditions, values=values)
    page["data"] = [event | {"pending_webhooks": _waiting(transaction, event["id"])} for event in page["data"]]
    return page


def forget_events(transaction: Transaction) -> int:
    """As if thirty days had gone by: what happened until now is gone from the API. Gives how many events that hides.

    Their webhooks, waiting or not, are another matter and stay.
    """
    conditions, values = _remembered(transaction)
    row = transaction.row(
        f"SELECT COUNT(*) AS n, MAX(seq) AS latest FROM objects WHERE {' AND '.join(conditions)}",  # noqa: S608 (conditions are ours)
        *values,
    )
    if row is None or row["latest"] is None:
        return 0
    transaction.save_setting(_FORGOTTEN, str(row["latest"]))
    return int(row["n"])


def _remembered(transaction: Transaction) -> tuple[list[str], list[object]]:
    """The conditions that an event must meet to be shown."""
    conditions = ["object = ?", "created > ?", "seq > ?"]
    values: list[object] = ["event", transaction.now() - RETENTION_SECONDS, int(transaction.setting(_FORGOTTEN) or 0)]
    if list_levers(transaction, "api_forget_events"):
        conditions.append("0")
    return conditions, values


def _waiting(transaction: Transaction, event_id: str) -> int:
    row = transaction.row(
        "SELECT COUNT(DISTINCT endpoint_id) AS waiting FROM deliveries"
        " WHERE event_id = ? AND state IN ('pending', 'sending')",
        event_id,
    )
    return 0 if row is None else int(row["waiting"])
