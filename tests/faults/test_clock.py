"""The host's clock is off, or its time zone is another, also on the nights when clocks change (F26).

Unix time, which Stripe signs and we store, knows neither zones nor leap seconds.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.request import Request, urlopen
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from app import clock
from app.db import db
from app.enrollment.models import Seat
from app.enrollment.seats import claim_seat, get_seat_offer
from app.payments.models import StripeEvent
from app.signing import LinkExpired
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.enrollment.teams import claim_token
from tests.factories import make_course, make_user

OFF = pytest.mark.parametrize("minutes", [-10, 10])
ZONES = ["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Kiritimati"]


@OFF
def test_shop_whose_clock_is_off_refuses_events_until_it_is_set_and_loses_none(
    shop: Shop, moving_clock: MovableClock, minutes: int
) -> None:
    started = shop.begin(make_course(), user=make_user())
    shop.pay(started)
    moving_clock.advance(minutes=minutes)

    assert {shop.send(event) for event in shop.events()} == {400}

    assert db.session.scalar(select(func.count()).select_from(StripeEvent)) == 0
    moving_clock.advance(minutes=-minutes)
    shop.deliver_all()
    assert shop.order(started).state == "paid"


@OFF
def test_buyer_who_returns_gets_in_whatever_the_clock_says(
    shop: Shop, moving_clock: MovableClock, minutes: int
) -> None:
    moving_clock.advance(minutes=minutes)
    started = shop.begin(make_course(), user=make_user())
    shop.pay(started)

    shop.client.get(f"/checkout/success?session_id={started.stripe_checkout_session_id}")
    moving_clock.advance(minutes=16)
    shop.work()

    assert shop.order(started).state == "paid"


@OFF
@pytest.mark.parametrize("lifetime_minutes", [30, 60, 1440])
def test_stripe_takes_the_end_of_a_session_though_its_clock_differs_from_ours(
    shop: Shop, moving_clock: MovableClock, monkeypatch: pytest.MonkeyPatch, minutes: int, lifetime_minutes: int
) -> None:
    changed = replace(shop.settings, checkout_expires_minutes=lifetime_minutes)
    monkeypatch.setitem(shop.app.config, "SETTINGS", changed)
    moving_clock.advance(minutes=minutes)

    started = shop.begin(make_course(), user=make_user())

    session = shop.stripe(f"/v1/checkout/sessions/{started.stripe_checkout_session_id}")
    assert (session["status"], session["expires_at"]) == ("open", int(started.expires_at.timestamp()))


@pytest.fixture
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The host's own time zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def night_of_change(shop: Shop, moving_clock: MovableClock) -> Iterator[datetime]:
    """Half an hour before the next change of Berlin's clocks, here and at Stripe."""
    moment = datetime.now(UTC).replace(minute=30, second=0, microsecond=0) + timedelta(hours=1)
    berlin = ZoneInfo("Europe/Berlin")
    while (moment + timedelta(hours=1)).astimezone(berlin).utcoffset() == moment.astimezone(berlin).utcoffset():
        moment += timedelta(hours=1)
    seconds = (moment - datetime.now(UTC)).total_seconds()
    assert shop.control("/clock", {"advance_seconds": seconds})[0] == 200
    moving_clock.advance(seconds=seconds)
    yield moment
    with urlopen(Request(f"{shop.sandbox.url}/_sandbox/clock", method="DELETE"), timeout=10):
        pass


@pytest.mark.parametrize("zone", ZONES, indirect=True)
def test_what_ends_ends_after_as_many_seconds_in_every_zone_and_on_the_night_of_change(
    shop: Shop, zone: str, night_of_change: datetime, moving_clock: MovableClock
) -> None:
    assert os.environ["TZ"] == zone
    moving_clock.freeze(night_of_change)
    started = shop.begin(make_course(), browser="b1")
    shop.pay(started, email="guest@example.org")
    for event in shop.events():
        assert shop.send(event, timestamp=int(clock.now().timestamp())) == 200
    shop.work()

    session = shop.stripe(f"/v1/checkout/sessions/{started.stripe_checkout_session_id}")
    db.session.rollback()
    seat = db.session.scalars(select(Seat)).one()

    assert shop.order(started).state == "paid"
    assert started.expires_at - night_of_change == timedelta(minutes=60, seconds=30)
    assert datetime.fromtimestamp(session["expires_at"], UTC) == started.expires_at
    assert seat.claim_expires_at is not None
    assert seat.claim_expires_at - night_of_change == timedelta(days=30)
    token = claim_token(seat)
    moving_clock.advance(days=29, hours=23, minutes=59)
    assert get_seat_offer(token).email == "guest@example.org"
    moving_clock.advance(minutes=2)
    with pytest.raises(LinkExpired):
        claim_seat(token)
