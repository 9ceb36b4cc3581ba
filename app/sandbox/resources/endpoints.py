"""Webhook endpoints, the list of past events, and the account itself."""

from app.sandbox.clock import now
from app.sandbox.documents import Document, new_id
from app.sandbox.errors import no_such
from app.sandbox.levers import list_levers
from app.sandbox.listing import list_page, page_where
from app.sandbox.parameters import (
    Address,
    Flag,
    Metadata,
    Range,
    Several,
    Text,
    listing,
    merge_metadata,
    operation,
)
from app.sandbox.resources.event_types import EVENT_TYPES
from app.sandbox.store import Transaction

_EVENTS = Several(Text(choices=("*", *EVENT_TYPES)))
CREATE = operation(
    {"url": Address(), "enabled_events": _EVENTS, "description": Text(can_unset=True), "metadata": Metadata()},
    ("url", "enabled_events"),
    "api_version connect",
)
UPDATE = operation(
    {
        "url": Address(),
        "enabled_events": _EVENTS,
        "description": Text(can_unset=True),
        "metadata": Metadata(),
        "disabled": Flag(),
    }
)
LIST = listing()
LIST_EVENTS = listing({"created": Range(), "type": Text(), "types": Several(Text(), most=20)}, "delivery_success")


def create_endpoint(transaction: Transaction, params: Document) -> Document:
    """The answer to creation is the only one that shows the secret."""
    endpoint = insert_endpoint(transaction, params["url"], params["enabled_events"], new_id("whsec"), params)
    return endpoint | {"secret": transaction.private(endpoint["id"])["secret"]}


def insert_endpoint(
    transaction: Transaction, url: str, enabled_events: list[str], secret: str, params: Document
) -> Document:
    return transaction.insert(
        {
            "id": new_id("we"),
            "object": "webhook_endpoint",
            "api_version": None,
            "application": None,
            "created": now(),
            "description": params.get("description") or None,
            "enabled_events": enabled_events,
            "livemode": False,
            "metadata": merge_metadata({}, params.get("metadata", {})),
            "status": "enabled",
            "url": url,
        },
        {"secret": secret},
    )


def ensure_endpoint(transaction: Transaction, url: str, secret: str) -> Document:
    """The endpoint of the shop beside us, made once. A given secret replaces the stored one."""
    found = transaction.where("webhook_endpoint", "url", url)
    if not found:
        return insert_endpoint(transaction, url, ["*"], secret or new_id("whsec"), {"description": "The shop"})
    if secret:
        transaction.save_private(found[0]["id"], transaction.private(found[0]["id"]) | {"secret": secret})
    return found[0]


def retrieve_endpoint(transaction: Transaction, _params: Document, identifier: str) -> Document:
    found = transaction.find("webhook_endpoint", identifier)
    if found is None:
        raise no_such("webhook endpoint", identifier, param="webhook_endpoint")
    return found


def update_endpoint(transaction: Transaction, params: Document, identifier: str) -> Document:
    endpoint = retrieve_endpoint(transaction, params, identifier)
    if "metadata" in params:
        endpoint["metadata"] = merge_metadata(endpoint["metadata"], params["metadata"])
    if "description" in params:
        endpoint["description"] = params["description"] or None
    if "disabled" in params:
        endpoint["status"] = "disabled" if params["disabled"] else "enabled"
    endpoint |= {name: params[name] for name in ("url", "enabled_events") if name in params}
    return transaction.save(endpoint)


def delete_endpoint(transaction: Transaction, params: Document, identifier: str) -> Document:
    """What still waits for it is given up."""
    retrieve_endpoint(transaction, params, identifier)
    transaction.run(
        "UPDATE deliveries SET state = 'failed', last_error = 'The endpoint was deleted'"
        " WHERE endpoint_id = ? AND state IN ('pending', 'sending')",
        identifier,
    )
    transaction.delete(identifier)
    return {"id": identifier, "object": "webhook_endpoint", "deleted": True}


def list_endpoints(transaction: Transaction, params: Document) -> Document:
    return list_page(transaction, "webhook_endpoint", "/v1/webhook_endpoints", params)


def retrieve_event(transaction: Transaction, _params: Document, identifier: str) -> Document:
    found = transaction.find("event", identifier)
    if found is None or _are_forgotten(transaction):
        raise no_such("event", identifier, param="id")
    return found | {"pending_webhooks": _waiting(transaction, identifier)}


def list_events(transaction: Transaction, params: Document) -> Document:
    """Types may be patterns such as `charge.*`."""
    if _are_forgotten(transaction):
        return {"object": "list", "url": "/v1/events", "has_more": False, "data": []}
    conditions: list[str] = ["object = ?"]
    values: list[object] = ["event"]
    comparisons = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "="}
    for bound, value in params.get("created", {}).items():
        conditions.append(f"created {comparisons[bound]} ?")
        values.append(value)
    wanted = params.get("types") or ([params["type"]] if "type" in params else [])
    if wanted:
        conditions.append("(" + " OR ".join(["json_extract(json, '$.type') GLOB ?"] * len(wanted)) + ")")
        values += wanted
    page = page_where(transaction, "event", "/v1/events", params, conditions=conditions, values=values)
    page["data"] = [event | {"pending_webhooks": _waiting(transaction, event["id"])} for event in page["data"]]
    return page


def _are_forgotten(transaction: Transaction) -> bool:
    return bool(list_levers(transaction, "api_forget_events"))


def _waiting(transaction: Transaction, event_id: str) -> int:
    row = transaction.row(
        "SELECT COUNT(DISTINCT endpoint_id) AS waiting FROM deliveries"
        " WHERE event_id = ? AND state IN ('pending', 'sending')",
        event_id,
    )
    return 0 if row is None else int(row["waiting"])


def retrieve_account(transaction: Transaction, _params: Document) -> Document:
    """The one account of this sandbox; its id stays the same until the file is deleted."""
    row = transaction.row("SELECT value FROM settings WHERE name = 'account_id'")
    return {
        "id": row["value"] if row else "acct_sandbox",
        "object": "account",
        "business_type": "company",
        "charges_enabled": True,
        "country": "US",
        "default_currency": "usd",
        "details_submitted": True,
        "email": "owner@example.org",
        "payouts_enabled": True,
        "type": "standard",
    }


RETRIEVE_ACCOUNT = operation()
