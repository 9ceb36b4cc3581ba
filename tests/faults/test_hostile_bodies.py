"""Secrets that rotate, deliveries that are late, and bodies that are no JSON, too large or in odd dress (F90, F91, F94, F95)."""

import gzip
import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from io import RawIOBase
from typing import Any

import pytest

from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.factories import make_course, make_user
from tests.faults.worlds import effects, event_states, find_event

OLD, NEW, FOREIGN = ("whsec_" + letter * 32 for letter in "onf")
EVENT = {"id": "evt_1", "object": "event", "type": "customer.created", "livemode": False, "data": {"object": {}}}


def sign(payload: bytes, secrets: Sequence[str], *, moment: int | None = None) -> str:
    """Stripe's header: one v1 for each active secret, and a v0 as test events have."""
    at = int(time.time()) if moment is None else moment
    signed = f"{at}.".encode() + payload
    signatures = [f"v1={hmac.new(each.encode(), signed, hashlib.sha256).hexdigest()}" for each in secrets]
    return ",".join([f"t={at}", *signatures, "v0=" + "0" * 64])


def post(shop: Shop, payload: bytes, header: str, **headers: str) -> int:
    answer = shop.client.post(
        "/webhooks/stripe", data=payload, headers={"Stripe-Signature": header, "Content-Type": "application/json", **headers}
    )  # fmt: skip
    return int(answer.status_code)


# F90, rotation


@pytest.mark.parametrize(
    ("known", "signed", "status"),
    [
        # Before: Stripe signs with the old one only.
        ((OLD,), (OLD,), 200),
        # Overlap: Stripe signs with both for up to a day; we may know both, or not yet the new one.
        ((OLD,), (NEW, OLD), 200),
        ((NEW, OLD), (NEW, OLD), 200),
        ((NEW, OLD), (OLD,), 200),
        ((NEW, OLD), (NEW,), 200),
        ((NEW, OLD), (FOREIGN,), 400),
        # After: the old one has ended here, whoever still has it.
        ((NEW,), (NEW,), 200),
        ((NEW,), (NEW, OLD), 200),
        ((NEW,), (OLD,), 400),
        ((NEW,), (FOREIGN, OLD), 400),
    ],
)
def test_secrets_rotate_without_a_gap_and_end(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, known: tuple[str, ...], signed: tuple[str, ...], status: int
) -> None:
    monkeypatch.setitem(shop.app.config, "SETTINGS", replace(shop.settings, stripe_webhook_secrets=known))
    payload = json.dumps(EVENT).encode()

    assert post(shop, payload, sign(payload, signed)) == status

    assert event_states() == ({"evt_1": "received"} if status == 200 else {})


# F91, late


def test_delivery_that_a_proxy_held_is_refused_and_healed_by_the_next_try(
    shop: Shop, moving_clock: MovableClock
) -> None:
    """Each try of Stripe's has a signature of its own, so one made days later counts and a held one does not."""
    started = shop.begin(make_course(), user=make_user())
    shop.pay(started)
    payload = json.dumps(find_event(shop, "checkout.session.completed")).encode()
    secrets, sent_at = shop.settings.stripe_webhook_secrets, int(time.time())

    moving_clock.advance(minutes=6)
    assert post(shop, payload, sign(payload, secrets, moment=sent_at)) == 400
    assert (event_states(), effects().state) == ({}, "pending")

    moving_clock.advance(days=2)
    tried_at = int((moving_clock()).timestamp())
    assert post(shop, payload, sign(payload, secrets, moment=tried_at)) == 200
    shop.work()
    assert (effects().state, effects().live_grants) == ("paid", 1)


@pytest.mark.parametrize(("late_seconds", "status"), [(-301, 400), (-299, 200), (299, 200), (301, 400)])
def test_clocks_may_differ_by_five_minutes_either_way(
    shop: Shop, moving_clock: MovableClock, late_seconds: int, status: int
) -> None:
    moving_clock.freeze(moving_clock())
    payload = json.dumps(EVENT).encode()
    signed_at = int(moving_clock().timestamp()) + late_seconds

    assert post(shop, payload, sign(payload, shop.settings.stripe_webhook_secrets, moment=signed_at)) == status


# F95, other dress. What is signed is what arrives: the bytes, whatever the headers call them.


def test_whitespace_and_line_ends_of_any_kind_are_json(shop: Shop) -> None:
    payload = json.dumps(EVENT, indent=2).replace("\n", "\r\n").encode() + b"\r\n"

    assert post(shop, payload, sign(payload, shop.settings.stripe_webhook_secrets)) == 200
    assert event_states() == {"evt_1": "received"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain; charset=utf-16"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Encoding": "gzip"},
        {"Content-Type": ""},
    ],
    ids=lambda headers: next(iter(headers.values())) or "none",
)
def test_headers_that_say_something_else_about_the_bytes_are_not_believed(shop: Shop, headers: dict[str, str]) -> None:
    payload = json.dumps({**EVENT, "note": "Für dich — 祝"}, ensure_ascii=False).encode()

    assert post(shop, payload, sign(payload, shop.settings.stripe_webhook_secrets), **headers) == 200
    assert event_states() == {"evt_1": "received"}


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_forms_are_not_what_stripe_sends(shop: Shop, kind: str) -> None:
    payload = json.dumps(EVENT).encode()

    assert post(shop, payload, sign(payload, shop.settings.stripe_webhook_secrets), **{"Content-Type": kind}) == 400
    assert event_states() == {}


TEXT = json.dumps({**EVENT, "note": "Für dich"}, ensure_ascii=False)
DRESSED: dict[str, bytes] = {
    "byte order mark": b"\xef\xbb\xbf" + TEXT.encode(),
    "utf-16": TEXT.encode("utf-16"),
    "utf-32": TEXT.encode("utf-32"),
    "latin-1": TEXT.encode("latin-1"),
    "gzip": gzip.compress(TEXT.encode()),
    "cut": TEXT.encode()[:-1],
    "twice": TEXT.encode() * 2,
    "comma": TEXT.encode()[:-1] + b",}",
    "single quotes": TEXT.replace('"', "'").encode(),
    "comment": b"/* x */" + TEXT.encode(),
    "control character": TEXT.replace("Für", "F\tr").encode(),
    "nul": TEXT.encode() + b"\x00",
    "form": b"payload=" + TEXT.encode(),
    "nothing but space": b" \r\n",
    "list of it": b"[" + TEXT.encode() + b"]",
}


@pytest.mark.parametrize("dress", DRESSED)
def test_signed_bytes_that_are_no_json_object_in_utf_8_are_refused_and_leave_nothing(shop: Shop, dress: str) -> None:
    payload = DRESSED[dress]

    assert post(shop, payload, sign(payload, shop.settings.stripe_webhook_secrets)) == 400
    assert event_states() == {}


@pytest.mark.parametrize("change", [b" ", b"\n", b"\r\n"])
def test_one_byte_more_than_was_signed_is_refused(shop: Shop, change: bytes) -> None:
    payload = TEXT.encode()

    assert post(shop, payload + change, sign(payload, shop.settings.stripe_webhook_secrets)) == 400


# F94, too much


class Endless(RawIOBase):
    """A body without an end, and how much of it was asked for."""

    taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        buffer[:] = b"x" * len(buffer)
        self.taken += len(buffer)
        return len(buffer)


@pytest.mark.parametrize("is_chunked", [True, False])
def test_body_without_an_end_is_cut_off_early(shop: Shop, *, is_chunked: bool) -> None:
    body = Endless()
    environ: dict[str, Any] = {"wsgi.input": body, "wsgi.input_terminated": is_chunked}
    environ |= {"HTTP_TRANSFER_ENCODING": "chunked"} if is_chunked else {"CONTENT_LENGTH": "300000000"}

    answer = shop.client.post("/webhooks/stripe", headers={"Stripe-Signature": "t=1,v1=00"}, environ_overrides=environ)

    # Of a body without a stated length only so much is read, and that is not what was signed.
    assert answer.status_code == (400 if is_chunked else 413)
    assert body.taken <= 1_100_000
    assert event_states() == {}
