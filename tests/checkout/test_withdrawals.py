"""A buyer withdraws: recorded once, acknowledged at once, refunded by itself or put before a person."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import select, update

from app.checkout.models import Order, OrderConsent, RefundRequest
from app.checkout.orders import list_timeline
from app.checkout.refunds import list_unsent_refund_ids
from app.checkout.services import StartedCheckout
from app.checkout.withdrawal_models import WithdrawalRequest
from app.checkout.withdrawals import (
    find_withdrawal,
    get_withdrawal,
    list_due_withdrawal_ids,
    refund_withdrawal,
    withdraw_by_link,
    withdraw_by_number,
)
from app.db import db, transaction
from app.errors import NotFound
from app.settings.services import change_section, get_section
from app.signing import LinkInvalid, sign_link
from tests.checkout.conftest import Shop
from tests.checkout.money import (
    give_back,
    mails,
    open_findings,
    payment_intent,
    pull_refund_lever,
    refunds,
    seat_statuses,
    sums,
)
from tests.conftest import MovableClock
from tests.factories import make_course, make_user


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's pauses between its own repeats are not what is tested."""
    monkeypatch.setattr("stripe._http_client.HTTPClient.INITIAL_DELAY", 0.001)
    monkeypatch.setattr("stripe._http_client.HTTPClient.MAX_DELAY", 0.002)


def switch_on(**values: Any) -> None:
    """The function is on, with a refund by itself unless values say otherwise."""
    wanted = {"has_withdrawal": True, "withdrawal_days": 14, "refunds_withdrawals": True, **values}
    change_section(section="withdrawal", values=wanted, version=get_section("withdrawal").version)


def buy(shop: Shop, **wish: Any) -> StartedCheckout:
    started = shop.begin(make_course(unit_amount=9700), user=make_user(), **wish)
    shop.pay(started)
    shop.deliver_all()
    return started


def token_of(started: StartedCheckout) -> str:
    found = find_withdrawal(started.order_public_id)
    assert found is not None
    return found[1]


def read_requests() -> list[tuple[str, str, bool]]:
    """(verdict, refund state, proved) of each."""
    db.session.rollback()
    rows = db.session.scalars(select(WithdrawalRequest).order_by(WithdrawalRequest.id))
    return [(each.verdict, each.refund_state, each.is_proved) for each in rows]


# Within the period


def test_a_withdrawal_by_link_gives_everything_back_and_closes_the_course(shop: Shop) -> None:
    switch_on()
    started = buy(shop)

    withdraw_by_link(token_of(started))
    shop.work()

    assert refunds(shop) == [9700]
    assert sums(shop.order(started).id) == (9700, 9700, 0)
    assert (shop.order(started).state, seat_statuses()) == ("refunded", ["revoked"])
    assert read_requests() == [("in_time", "asked", True)]
    assert db.session.scalars(select(RefundRequest.reason)).all() == ["The buyer withdrew from the contract."]
    [mail] = mails("withdrawal")
    shown = get_withdrawal(token_of(started))
    assert (shown.refund_state, shown.withdrawn_at is not None) == ("asked", True)
    assert (mail["verdict"], mail["refund_state"], mail["items"][0]["quantity"]) == ("in_time", "due", 1)
    assert open_findings() == []


def test_twice_is_one_withdrawal_one_mail_and_one_refund(shop: Shop) -> None:
    switch_on()
    started = buy(shop)
    token = token_of(started)

    for _ in range(3):
        withdraw_by_link(token)
        shop.work()
        shop.deliver_all()
    refund_withdrawal(db.session.scalars(select(WithdrawalRequest.id)).one())

    assert (refunds(shop), len(read_requests()), len(mails("withdrawal"))) == ([9700], 1, 1)


def test_without_a_refund_by_itself_a_person_is_asked(shop: Shop) -> None:
    switch_on(refunds_withdrawals=False)
    started = buy(shop)

    withdraw_by_link(token_of(started))
    shop.work()

    assert (refunds(shop), shop.order(started).state) == ([], "paid")
    assert (read_requests(), open_findings()) == ([("in_time", "by_hand", True)], ["withdrawal"])


def test_the_persons_refund_takes_it_off_the_list(shop: Shop) -> None:
    switch_on(refunds_withdrawals=False)
    started = buy(shop)
    withdraw_by_link(token_of(started))

    give_back(started)

    assert (shop.order(started).state, open_findings()) == ("refunded", [])


def test_a_number_and_an_address_move_no_money_but_are_acknowledged_there(shop: Shop) -> None:
    switch_on()
    started = buy(shop)
    order = shop.order(started)

    withdraw_by_number(number=f"nsl-{order.number}", email=str(order.email))
    shop.work()

    assert (refunds(shop), shop.order(started).state) == ([], "paid")
    assert (read_requests(), open_findings()) == ([("in_time", "by_hand", False)], ["withdrawal"])
    assert len(mails("withdrawal")) == 1


@pytest.mark.parametrize(
    "named",
    [{"email": "else@example.org"}, {"number": "999999"}, {"number": "NSL"}, {"number": "NSL-1001 OR 1=1"},
     {"number": "9" * 12}],
)  # fmt: skip
def test_what_names_no_order_leaves_nothing_and_says_nothing(shop: Shop, named: dict[str, str]) -> None:
    switch_on()
    order = shop.order(buy(shop))

    withdraw_by_number(**{"number": str(order.number), "email": str(order.email), **named})

    assert (read_requests(), mails("withdrawal"), open_findings()) == ([], [], [])


# The period


def test_the_period_ends_with_its_last_day_in_the_shops_zone(shop: Shop, moving_clock: MovableClock) -> None:
    change_section(section="region", values={"site_timezone": "America/New_York"}, version=0)
    switch_on()
    started = buy(shop)
    with transaction() as session:
        session.execute(update(Order).values(paid_at=datetime(2026, 3, 3, 4, 30, tzinfo=UTC)))

    view = get_withdrawal(token_of(started))

    # March 2, 23:30 in New York; the clocks go forward in between.
    assert view.ends_at == datetime(2026, 3, 17, 4, 0, tzinfo=UTC)
    assert view.last_day == datetime(2026, 3, 17, 3, 59, 59, tzinfo=UTC)
    moving_clock.freeze(view.ends_at - timedelta(seconds=1))
    assert get_withdrawal(token_of(started)).verdict == "in_time"
    moving_clock.freeze(view.ends_at)
    assert get_withdrawal(token_of(started)).verdict == "late"


def test_after_the_period_it_is_kept_and_told_but_nothing_goes_back(shop: Shop, moving_clock: MovableClock) -> None:
    switch_on()
    started = buy(shop)
    moving_clock.advance(days=16)

    withdraw_by_link(token_of(started))
    shop.work()

    assert (refunds(shop), shop.order(started).state, open_findings()) == ([], "paid", [])
    assert read_requests() == [("late", "none", True)]
    told = list_timeline(order_id=shop.order(started).id, currency="usd")
    assert [sentence for _, sentence, _, _ in told] == ["You withdrew from the contract", "$97.00 paid", "Order placed"]
    assert mails("withdrawal")[0]["verdict"] == "late"


def test_who_gave_the_right_up_at_checkout_is_told_so(shop: Shop) -> None:
    switch_on()
    own = "Open it at once; I know that I lose my right of withdrawal then."
    change_section(section="consents", values={"consents": ("eu_waiver",), "waiver_text": own}, version=0)
    started = buy(shop, consents=("eu_waiver",))

    withdraw_by_link(token_of(started))
    shop.work()

    assert (refunds(shop), read_requests()) == ([], [("waived", "none", True)])
    assert "withdrawal_url" not in mails("receipt")[0]
    kept = db.session.execute(select(OrderConsent.text, OrderConsent.text_version)).one()
    assert (kept.text, kept.text_version) == (own, f"own-{sha256(own.encode()).hexdigest()[:8]}")


def test_an_order_keeps_the_days_it_was_bought_under(shop: Shop) -> None:
    switch_on(withdrawal_days=30)
    started = buy(shop)
    long = get_withdrawal(token_of(started)).ends_at

    switch_on(withdrawal_days=14)

    assert get_withdrawal(token_of(started)).ends_at == long
    switch_on(has_withdrawal=False)
    assert get_withdrawal(token_of(started)).ends_at == long
    assert mails("receipt")[0]["withdrawal_until"] == (long - timedelta(seconds=1)).isoformat()


def test_an_order_of_before_goes_by_the_shops_present_days(shop: Shop) -> None:
    started = buy(shop)
    assert find_withdrawal(started.order_public_id) is None

    switch_on(withdrawal_days=20)

    paid_at = shop.order(started).paid_at
    assert paid_at is not None
    assert get_withdrawal(token_of(started)).ends_at.date() == paid_at.date() + timedelta(days=21)


# Who may


def test_a_link_of_a_shop_without_the_function_leads_nowhere(shop: Shop) -> None:
    switch_on()
    started = buy(shop)
    token = token_of(started)
    with transaction() as session:
        session.execute(update(Order).values(withdrawal_days=None))
    switch_on(has_withdrawal=False)

    with pytest.raises(NotFound):
        get_withdrawal(token)
    with pytest.raises(NotFound):
        withdraw_by_link(token)
    order = shop.order(started)
    withdraw_by_number(number=str(order.number), email=str(order.email))

    assert read_requests() == []


def test_a_link_that_is_not_ours_or_of_a_moved_order_leads_nowhere(shop: Shop) -> None:
    switch_on()
    started = buy(shop)
    token = token_of(started)
    with transaction() as session:
        session.execute(update(Order).values(link_version=2))

    for dead, error in (
        (token, NotFound),
        (sign_link("withdrawal", {"no": "order"}), NotFound),
        (sign_link("order", started.order_public_id), LinkInvalid),
    ):
        with pytest.raises(error):
            withdraw_by_link(dead)

    assert read_requests() == []
    withdraw_by_link(token_of(started))
    assert len(read_requests()) == 1


def test_an_unpaid_order_has_nothing_to_withdraw_from(shop: Shop) -> None:
    switch_on()
    started = shop.begin(make_course(), user=make_user())

    assert find_withdrawal(started.order_public_id) is None
    assert find_withdrawal("ord_unknown") is None


# Money: somebody was faster, the bank, Stripe down


def test_what_an_admin_gave_back_before_is_not_given_twice(shop: Shop) -> None:
    switch_on()
    started = buy(shop)
    give_back(started, amount=2000)

    withdraw_by_link(token_of(started))
    shop.work()

    assert refunds(shop) == [2000, 7700]
    assert sums(shop.order(started).id) == (9700, 9700, 0)


def test_an_order_that_was_refunded_is_recorded_and_nothing_more_goes_back(shop: Shop) -> None:
    switch_on()
    started = buy(shop)
    give_back(started)

    withdraw_by_link(token_of(started))
    shop.work()

    assert (refunds(shop), read_requests(), open_findings()) == ([9700], [("in_time", "none", True)], [])


def test_an_admin_who_is_faster_than_the_worker_leaves_nothing_to_do(shop: Shop) -> None:
    switch_on()
    started = buy(shop)
    withdraw_by_link(token_of(started))
    give_back(started)

    shop.work()

    assert (refunds(shop), read_requests(), open_findings()) == ([9700], [("in_time", "not_possible", True)], [])
    assert list_due_withdrawal_ids() == []


def test_a_free_order_is_put_before_a_person(shop: Shop) -> None:
    switch_on()
    started = shop.begin(make_course(unit_amount=0), user=make_user())

    withdraw_by_link(token_of(started))
    shop.work()

    assert (read_requests(), open_findings()) == ([("in_time", "not_possible", True)], ["withdrawal"])


def test_a_payment_that_the_bank_holds_is_put_before_a_person(shop: Shop) -> None:
    switch_on()
    started = buy(shop)
    status, _ = shop.control(f"/dispute/{payment_intent(shop, started)}", {})
    assert status == 200
    shop.deliver_all()

    withdraw_by_link(token_of(started))
    shop.work()

    assert (refunds(shop), read_requests()) == ([], [("in_time", "not_possible", True)])
    assert "withdrawal" in open_findings()


def test_while_stripe_is_down_the_refund_waits_and_goes_out_later(shop: Shop, moving_clock: MovableClock) -> None:
    switch_on()
    started = buy(shop)
    pull_refund_lever(shop, kind="api_close", when="before", count=20)

    withdraw_by_link(token_of(started))
    refund_withdrawal(list_due_withdrawal_ids()[0])

    assert (refunds(shop), read_requests()) == ([], [("in_time", "asked", True)])
    assert len(mails("withdrawal")) == 1
    shop.remove_levers()
    moving_clock.advance(hours=2)
    assert list_unsent_refund_ids() != []
    shop.work()
    assert (refunds(shop), shop.order(started).state) == ([9700], "refunded")


def test_an_order_without_an_address_is_recorded_without_a_mail(shop: Shop) -> None:
    switch_on(refunds_withdrawals=False)
    started = buy(shop)
    token = token_of(started)
    with transaction() as session:
        session.execute(update(Order).values(email=None))

    withdraw_by_link(token)

    assert (len(read_requests()), mails("withdrawal")) == (1, [])
