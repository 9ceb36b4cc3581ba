"""The border with Stripe at its edges: signatures, timestamps and bodies that are only just right or just wrong."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app import clock
from app.db import db
from app.errors import NotFound
from app.payments.account import PINNED_VERSION
from app.payments.events import (
    EventUnreadable,
    ParsedEvent,
    arm_event,
    claim_event,
    get_event,
    get_event_object,
    list_due_event_ids,
    list_events,
    list_unhandled_event_ids,
    mark_event,
    note_event_error,
    parse_event,
    record_event,
)
from app.payments.models import StripeEvent
from app.payments.overdue import sound_alarm
from app.payments.probe import make_probe
from app.payments.retention import empty_old_payloads, list_old_payload_ids
from app.payments.signature import SignatureInvalid, verify_signature
from tests.conftest import MovableClock

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


def test_probe_is_an_event_without_an_object(app: Flask, moving_clock: MovableClock) -> None:
    moving_clock.freeze(MOMENT)
    event_id, body = make_probe()

    assert event_id.startswith("evt_doctor_")
    assert len(event_id) == len("evt_doctor_") + 24
    assert json.loads(body) == {
        "id": event_id,
        "object": "event",
        "type": "tuition.doctor.probe",
        "api_version": PINNED_VERSION,
        "livemode": False,
        "created": NOW,
        "data": {"object": {}},
    }


# The row of an event through its life


def read_event(event_id: str = "evt_1") -> dict[str, Any]:
    db.session.rollback()
    row = db.session.execute(select(StripeEvent.__table__).where(StripeEvent.id == event_id)).mappings().one()
    return dict(row)


def test_event_is_kept_from_its_receipt_to_its_end(app: Flask, moving_clock: MovableClock) -> None:
    moving_clock.freeze(MOMENT)
    body = b'{"id": "evt_1", "type": "charge.refunded", "data": {"object": {"id": "ch_1"}}}'

    record_event(payload=body)

    received = {
        "id": "evt_1",
        "type": "charge.refunded",
        "api_version": None,
        "livemode": False,
        "object_id": "ch_1",
        "payload": body.decode(),
        "state": "received",
        "received_at": MOMENT,
        "delivery_count": 1,
        "attempt_count": 0,
        "next_attempt_at": MOMENT,
        "handled_at": None,
        "error": None,
        "replay_count": 0,
    }
    assert read_event() == received
    assert list_due_event_ids() == list_unhandled_event_ids(["ch_1", "ch_2"]) == ["evt_1"]
    assert list_unhandled_event_ids(["ch_2"]) == []

    claimed = claim_event("evt_1")
    assert claimed is not None
    note_event_error("evt_1", error="x" * 501)
    tried = {**received, "attempt_count": 1, "next_attempt_at": MOMENT + timedelta(seconds=5), "error": "x" * 500}
    assert read_event() == tried
    assert list_due_event_ids() == []
    assert claim_event("evt_1") is None

    moving_clock.advance(seconds=1)
    record_event(payload=body)
    again = {**tried, "delivery_count": 2, "next_attempt_at": MOMENT + timedelta(seconds=1)}
    assert read_event() == again

    mark_event("evt_1", state="handled")
    ended = {**again, "state": "handled", "handled_at": MOMENT + timedelta(seconds=1), "error": None}
    assert read_event() == ended
    moving_clock.advance(seconds=1)
    record_event(payload=body)
    mark_event("evt_1", state="ignored")
    assert read_event() == {**ended, "delivery_count": 3}
    assert list_unhandled_event_ids(["ch_1"]) == []

    arm_event("evt_1")
    assert read_event() == {
        **ended,
        "delivery_count": 3,
        "state": "received",
        "attempt_count": 0,
        "next_attempt_at": MOMENT + timedelta(seconds=2),
        "handled_at": None,
        "replay_count": 1,
    }


def test_event_waits_twice_as_long_after_each_try_up_to_an_hour(app: Flask, moving_clock: MovableClock) -> None:
    moving_clock.freeze(MOMENT)
    record_event(payload=b'{"id": "evt_1", "type": "charge.refunded"}')
    waits = []
    for _ in range(12):
        assert claim_event("evt_1") is not None
        due_at = read_event()["next_attempt_at"]
        waits.append((due_at - clock.now()).total_seconds())
        moving_clock.freeze(due_at)

    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]


def test_events_are_listed_by_age_and_state_and_nothing_is_done_to_others(
    app: Flask, moving_clock: MovableClock
) -> None:
    moving_clock.freeze(MOMENT)
    for number in (1, 2, 3):
        record_event(payload=f'{{"id": "evt_{number}", "type": "charge.refunded"}}'.encode())
        moving_clock.advance(seconds=1)
    before = [read_event(event_id) for event_id in ("evt_1", "evt_3")]

    assert list_due_event_ids() == ["evt_1", "evt_2", "evt_3"]
    assert claim_event("evt_2") is not None
    note_event_error("evt_2", error="crashed")
    mark_event("evt_2", state="handled")
    arm_event("evt_2")
    mark_event("evt_2", state="ignored")

    assert [read_event(event_id) for event_id in ("evt_1", "evt_3")] == before
    assert [event.id for event in list_events()] == ["evt_3", "evt_2", "evt_1"]
    assert [event.id for event in list_events(limit=2)] == ["evt_3", "evt_2"]
    assert [event.id for event in list_events(state="ignored")] == ["evt_2"]
    with pytest.raises(NotFound) as missing:
        get_event("x" * 90)
    assert missing.value.sentence == f"The inbox has no event {'x' * 80}."


def test_alarm_counts_what_waits_longer_than_five_minutes(app: Flask, moving_clock: MovableClock) -> None:
    moving_clock.freeze(MOMENT)
    for number in (1, 2, 3):
        record_event(payload=f'{{"id": "evt_{number}", "type": "charge.refunded"}}'.encode())
        moving_clock.advance(seconds=1)
    mark_event("evt_2", state="handled")

    moving_clock.freeze(MOMENT + timedelta(minutes=5))
    assert sound_alarm() == 0
    moving_clock.freeze(MOMENT + timedelta(minutes=5, seconds=2))
    assert sound_alarm() == 1
    moving_clock.freeze(MOMENT + timedelta(minutes=5, seconds=3))
    assert sound_alarm() == 2


def test_payload_is_emptied_after_ninety_days_where_the_event_is_done(app: Flask, moving_clock: MovableClock) -> None:
    moving_clock.freeze(MOMENT)
    for number in (1, 2, 3):
        record_event(payload=f'{{"id": "evt_{number}", "type": "charge.refunded"}}'.encode())
    mark_event("evt_1", state="handled")
    mark_event("evt_2", state="ignored")

    moving_clock.advance(days=90)
    assert (list_old_payload_ids(10), empty_old_payloads()) == ([], 0)
    moving_clock.advance(seconds=1)
    assert (len(list_old_payload_ids()), empty_old_payloads()) == (1, 2)

    assert [read_event(f"evt_{number}")["payload"] == "" for number in (1, 2, 3)] == [True, True, False]
    assert (list_old_payload_ids(10), empty_old_payloads()) == ([], 0)
