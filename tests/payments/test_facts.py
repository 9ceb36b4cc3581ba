"""Objects of Stripe are read as they are or not at all: an amount or a time of another kind is never guessed."""

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import pytest

from app.payments.events import EventUnreadable, parse_event
from app.payments.facts import read_refund, read_session
from app.payments.signature import SignatureInvalid, verify_signature

SESSION = {"id": "cs_1", "created": 1_767_225_600}
REFUND = {"id": "re_1", "created": 1_767_225_600, "amount": 500, "currency": "USD"}
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def test_session_with_nothing_but_an_id_and_a_time_is_read() -> None:
    facts = read_session(SESSION)

    assert (facts.id, facts.amount_total, facts.amount_tax, facts.email) == ("cs_1", 0, 0, None)
    assert facts.created_at == facts.expires_at == MOMENT


@pytest.mark.parametrize("amount", [True, "500", 5.0, [500]])
def test_amount_that_is_no_integer_is_refused(amount: Any) -> None:
    with pytest.raises(TypeError, match="an amount is an integer"):
        read_refund({**REFUND, "amount": amount})


@pytest.mark.parametrize("created", [True, "1767225600", 1_767_225_600.0, None])
def test_time_that_is_no_integer_is_refused(created: Any) -> None:
    with pytest.raises(TypeError, match="a time is an integer"):
        read_refund({**REFUND, "created": created})


def test_event_with_a_fraction_somewhere_is_read() -> None:
    event = parse_event(b'{"id": "evt_1", "type": "charge.refunded", "data": {"object": {"id": "ch_1", "rate": 0.5}}}')

    assert (event.id, event.type, event.object_id) == ("evt_1", "charge.refunded", "ch_1")


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"NaN", b"Infinity"])
def test_event_with_a_number_beyond_every_bound_is_refused(number: bytes) -> None:
    with pytest.raises(EventUnreadable):
        parse_event(b'{"id": "evt_1", "type": "charge.refunded", "rate": ' + number + b"}")


@pytest.mark.parametrize("secrets", [(), ("",), ("", "")])
def test_signature_made_with_an_empty_secret_is_not_stripes(secrets: tuple[str, ...]) -> None:

    timestamp = int(MOMENT.timestamp())
    signature = hmac.new(b"", f"{timestamp}.body".encode(), hashlib.sha256).hexdigest()

    with pytest.raises(SignatureInvalid, match="signature"):
        verify_signature(payload=b"body", header=f"t={timestamp},v1={signature}", secrets=secrets, moment=MOMENT)
