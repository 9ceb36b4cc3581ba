"""The border with Stripe at its edges: signatures, timestamps and bodies that are only just right or just wrong."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from app.payments.events import EventUnreadable, ParsedEvent, get_event_object, parse_event
from app.payments.models import StripeEvent
from app.payments.signature import SignatureInvalid, verify_signature

BODY = b'{"id": "evt_1"}'
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
NOW = int(MOMENT.timestamp())
OLD, NEW = "whsec_old", "whsec_new"


def sign(*, timestamp: int = NOW, secret: str = NEW, body: bytes = BODY) -> str:
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def verify(header: str, *secrets: str, body: bytes = BODY) -> None:
    verify_signature(payload=body, header=header, secrets=secrets or (NEW,), moment=MOMENT)


@pytest.mark.parametrize(
    "header",
    [
        f"t={NOW},v1={sign()}",
        f"v1={sign()},t={NOW}",
        f" t={NOW} , v1={sign()} ",
        f"t={NOW},v0=abc,v1={sign()},v2=abc",
        f"t={NOW},v1={'0' * 64},v1={sign()}",
        f"t={NOW},v1={sign()},v1={'0' * 64}",
        f"t={NOW}," + ",".join([f"v1={'0' * 64}"] * 15) + f",v1={sign()}",
        f"t={NOW},v1={sign()},x=" + "y" * (2000 - len(f"t={NOW},v1={sign()},x=")),
        f"t={NOW - 300},v1={sign(timestamp=NOW - 300)}",
        f"t={NOW + 300},v1={sign(timestamp=NOW + 300)}",
    ],
)
def test_what_stripe_signed_within_five_minutes_is_stripes(header: str) -> None:
    verify(header)


def test_either_secret_of_a_rotation_counts() -> None:
    header = f"t={NOW},v1={sign(secret=OLD)}"

    verify(header, NEW, OLD)
    verify(header, "", OLD, NEW)
    with pytest.raises(SignatureInvalid, match=r"^signature$"):
        verify(header, NEW)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (f"t={NOW},v1={sign()}0", "signature"),
        (f"t={NOW},v1={sign(body=BODY + b' ')}", "signature"),
        (f"t={NOW},v1={sign(timestamp=NOW - 1)}", "signature"),
        (f"t={NOW - 301},v1={sign(timestamp=NOW - 301)}", "timestamp"),
        (f"t={NOW + 301},v1={sign(timestamp=NOW + 301)}", "timestamp"),
        (f"t=+{NOW},v1={sign()}", "timestamp"),
        (f"t=000{NOW},v1={sign()}", "timestamp"),
        (f"t,v1={sign()}", "timestamp"),
        (f"v1={sign()}", "header"),
        (f"t={NOW}", "header"),
        (f"t={NOW},t={NOW},v1={sign()}", "header"),
        (f"t={NOW}," + ",".join([f"v1={sign()}"] * 17), "header"),
        (f"t={NOW},v1={sign()},x=" + "y" * (2001 - len(f"t={NOW},v1={sign()},x=")), "header"),
        (f"t={NOW},v1={sign()},x=é", "header"),
    ],
)
def test_what_is_only_nearly_stripes_is_refused_for_its_reason(header: str, reason: str) -> None:
    with pytest.raises(SignatureInvalid, match=f"^{reason}$"):
        verify(header)


def test_timestamp_of_twelve_digits_is_read() -> None:
    header = f"t=00{NOW},v1={sign()}"

    verify(header)


def parse(**body: Any) -> ParsedEvent:
    return parse_event(json.dumps({"id": "evt_1", "type": "charge.refunded", **body}).encode())


def test_event_is_read_with_every_field_in_its_place() -> None:
    event = parse(api_version="2026-10-28.endive", livemode=True, data={"object": {"id": "ch_1"}})

    assert event == ParsedEvent(
        id="evt_1", type="charge.refunded", api_version="2026-10-28.endive", livemode=True, object_id="ch_1"
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": None, "api_version": None, "livemode": None},
        {"data": {}, "api_version": 7, "livemode": 1},
        {"data": {"object": "ch_1"}, "api_version": "", "livemode": "true"},
        {"data": {"object": {"id": 7}}, "api_version": "a\nb"},
        {"data": {"object": {"id": "x" * 256}}, "api_version": "y" * 256},
        {"data": [], "livemode": False},
    ],
)
def test_event_without_the_rest_is_read_as_empty(body: dict[str, Any]) -> None:
    assert parse(**body) == ParsedEvent(
        id="evt_1", type="charge.refunded", api_version=None, livemode=False, object_id=None
    )


def test_longest_texts_are_kept_as_far_as_there_is_room() -> None:
    event = parse(id="e" * 255, type="t" * 255, api_version="v" * 255, data={"object": {"id": "o" * 255}})

    assert event == ParsedEvent(id="e" * 255, type="t" * 255, api_version="v" * 60, livemode=False, object_id="o" * 255)


@pytest.mark.parametrize("name", ["id", "type"])
@pytest.mark.parametrize("text", [None, 7, "", "x" * 256, "a\x00b", "a\nb", ["x"]])
def test_event_whose_id_or_type_is_no_short_text_is_refused(name: str, text: Any) -> None:
    with pytest.raises(EventUnreadable):
        parse(**{name: text})


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        ('{"data": {"object": {"id": "ch_1"}}}', {"id": "ch_1"}),
        ('{"data": {"object": "ch_1"}}', {}),
        ('{"data": {}}', {}),
        ('{"data": 7}', {}),
        ("{}", {}),
        ("[]", {}),
        ("", {}),
    ],
)
def test_object_of_a_stored_event_is_what_it_is_about_or_nothing(payload: str, found: dict[str, str]) -> None:
    assert get_event_object(StripeEvent(payload=payload)) == found
