"""Webhook endpoints: where events are sent, which of them, and in whose version."""

import re

from app.sandbox.documents import Document, new_id
from app.sandbox.errors import InvalidRequest, Refused, no_such, unsupported_parameter
from app.sandbox.listing import list_page
from app.sandbox.parameters import (
    Address,
    Flag,
    Metadata,
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
    {
        "url": Address(),
        "enabled_events": _EVENTS,
        "api_version": Text(30),
        "connect": Flag(),
        "description": Text(can_unset=True),
        "metadata": Metadata(),
    },
    ("url", "enabled_events"),
)
_VERSION = re.compile(r"20\d\d-\d\d-\d\d(\.[a-z]+)?")
MOST_ENDPOINTS = 16
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


def create_endpoint(transaction: Transaction, params: Document) -> Document:
    """The answer to creation is the only one that shows the secret.

    Raises InvalidRequest: no such version, a Connect endpoint (which this sandbox does not have), or one too many. An
    endpoint of another version is told events that name it; their shape stays the one this sandbox speaks.
    """
    version = params.get("api_version")
    if version is not None and not _VERSION.fullmatch(version):
        raise InvalidRequest(f"Invalid Stripe API version: {version}", param="api_version")
    if params.get("connect"):
        raise unsupported_parameter("connect")
    _check_events(params)
    if len(transaction.where("webhook_endpoint", "object", "webhook_endpoint")) >= MOST_ENDPOINTS:
        raise Refused(f"You have reached the maximum of {MOST_ENDPOINTS} test webhook endpoints.")
    endpoint = insert_endpoint(transaction, params["url"], params["enabled_events"], new_id("whsec"), params)
    return endpoint | {"secret": transaction.private(endpoint["id"])["secret"]}


def _check_events(params: Document) -> None:
    events = params.get("enabled_events", ["*"])
    if not events:
        raise InvalidRequest("You must listen to at least one event.", param="enabled_events")
    if "*" in events and len(events) > 1:
        raise InvalidRequest("`*` already listens to all events; it must stand alone.", param="enabled_events")


def insert_endpoint(
    transaction: Transaction, url: str, enabled_events: list[str], secret: str, params: Document
) -> Document:
    return transaction.insert(
        {
            "id": new_id("we"),
            "object": "webhook_endpoint",
            "api_version": params.get("api_version"),
            "application": None,
            "created": transaction.now(),
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
    _check_events(params)
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
