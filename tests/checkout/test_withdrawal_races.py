"""Withdrawals, everybody at once. That a refund is made once is refund_order()'s, with its controls beside it."""

from typing import Any

import pytest
from sqlalchemy import insert, select

import app.checkout.withdrawals as withdrawals_module
from app.checkout.refunds import NothingToRefund
from app.checkout.withdrawal_models import WithdrawalRequest
from app.checkout.withdrawals import refund_withdrawal, withdraw_by_link, withdraw_by_number
from app.db import db
from tests.checkout.conftest import Shop
from tests.checkout.money import give_back, mails, refunds, sums
from tests.checkout.test_withdrawals import buy, read_requests, switch_on, token_of
from tests.races import kinds, run_at_once

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's pauses between its own repeats are not what is tested."""
    monkeypatch.setattr("stripe._http_client.HTTPClient.INITIAL_DELAY", 0.02)
    monkeypatch.setattr("stripe._http_client.HTTPClient.MAX_DELAY", 0.05)


def insert_always(model: Any, values: dict[str, Any], *, unique: list[str]) -> int:
    """What a check in Python before the write would come to."""
    return db.session.execute(insert(model).values(**values).returning(model.id)).scalar_one()


def test_eight_confirmations_at_once_are_one_withdrawal(shop: Shop) -> None:
    switch_on()
    started = buy(shop)
    token, order = token_of(started), shop.order(started)

    outcomes = run_at_once(
        shop.app,
        *[lambda: withdraw_by_link(token)] * 6,
        *[lambda: withdraw_by_number(number=str(order.number), email=str(order.email))] * 2,
    )
    shop.work()

    assert kinds(outcomes) == {"NoneType": 8}, outcomes
    assert (len(read_requests()), len(mails("withdrawal"))) == (1, 1)
    assert refunds(shop) in ([9700], [])


def test_control_without_the_unique_row_the_others_fail(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    switch_on()
    token = token_of(buy(shop))
    monkeypatch.setattr(withdrawals_module, "insert_once", insert_always)

    outcomes = run_at_once(shop.app, *[lambda: withdraw_by_link(token)] * 8)

    assert kinds(outcomes) == {"NoneType": 1, "IntegrityError": 7}, outcomes


def test_a_withdrawal_and_an_admin_at_once_give_back_what_was_paid(shop: Shop) -> None:
    switch_on()
    started = buy(shop)
    withdraw_by_link(token_of(started))
    request_id = db.session.scalars(select(WithdrawalRequest.id)).one()

    outcomes = run_at_once(
        shop.app,
        *[lambda: refund_withdrawal(request_id)] * 3,
        lambda: give_back(started, key="admin-1"),
        lambda: give_back(started, key="admin-2", amount=5000),
    )
    shop.work()
    shop.deliver_all()

    unexpected = [each for each in outcomes if isinstance(each, Exception) and not isinstance(each, NothingToRefund)]
    assert unexpected == []
    assert sum(refunds(shop)) == 9700
    assert sums(shop.order(started).id) == (9700, 9700, 0)
    assert read_requests()[0][1] in {"asked", "not_possible"}
