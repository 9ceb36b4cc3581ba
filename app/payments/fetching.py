"""Asks Stripe for one event or object by its id: for what should have arrived by itself and did not."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import InvalidInput
from app.payments.facts import Metadata, object_id
from app.payments.gateway import stripe_client, stripe_errors

LONGEST_ID = 255


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchedObject:
    """An object as far as it tells whose it is: its own metadata, else its payment's; and the ids it names."""

    id: str
    metadata: Metadata
    stripe_ids: tuple[str, ...]


def fetch_event(event_id: str) -> bytes:
    """The body of an Event, as a webhook would have brought it.

    Raises StripeObjectMissing (Stripe keeps events for 30 days), PaymentUnavailable.
    """
    with stripe_errors("event"):
        return json.dumps(stripe_client().v1.events.retrieve(event_id).to_dict()).encode()


def fetch_object(stripe_id: str) -> FetchedObject:
    """A Checkout Session, PaymentIntent, Charge, Refund or Dispute by its id. Stripe never forgets one.

    Raises InvalidInput for another kind of id, StripeObjectMissing, PaymentUnavailable.
    """
    services = stripe_client().v1
    readers: dict[str, Callable[[str], Any]] = {
        "cs": services.checkout.sessions.retrieve,
        "pi": services.payment_intents.retrieve,
        "ch": services.charges.retrieve,
        "py": services.charges.retrieve,
        "re": services.refunds.retrieve,
        "pyr": services.refunds.retrieve,
        "du": services.disputes.retrieve,
        "dp": services.disputes.retrieve,
    }
    read = readers.get(stripe_id.partition("_")[0])
    if read is None or not is_stripe_id(stripe_id):
        raise InvalidInput(
            "Enter an id that begins with evt_, cs_, pi_, ch_, re_ or du_, as Stripe’s dashboard shows it.",
            field="id",
        )
    with stripe_errors("fetched_object"):
        found: Mapping[str, Any] = read(stripe_id).to_dict()
        payment_intent_id = object_id(found.get("payment_intent"))
        metadata = found.get("metadata") or {}
        if "order" not in metadata and payment_intent_id is not None:
            # Refunds and disputes carry no metadata of ours.
            metadata = services.payment_intents.retrieve(payment_intent_id).to_dict().get("metadata") or {}
        ids = (str(found["id"]), payment_intent_id, object_id(found.get("charge")))
        return FetchedObject(
            id=str(found["id"]),
            metadata={str(name): str(text) for name, text in metadata.items()},
            stripe_ids=tuple(each for each in ids if each is not None),
        )


def is_stripe_id(text: str) -> bool:
    """Whether the text can be an id: what goes into an address of Stripe's must be nothing else."""
    return 0 < len(text) <= LONGEST_ID and text.isascii() and text.replace("_", "").isalnum()
