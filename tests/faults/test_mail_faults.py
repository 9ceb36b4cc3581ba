"""The mail server or a template fails: access is not delayed, each mail goes out once, the same id marks a repeat (F92-F96)."""

from collections.abc import Iterator
from dataclasses import replace
from email.utils import parseaddr
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

import app.mail.delivery as delivery_module
import app.mail.services as mail_services
from app.db import db
from app.enrollment.services import list_open_course_ids
from app.extensions import mail as mail_extension
from app.mail.models import Message
from app.mail.rendering import _environment
from app.mail.services import deliver_message
from app.queue import run_sweeps
from tests.checkout.conftest import Shop
from tests.conftest import MovableClock
from tests.factories import make_course, make_user
from tests.faults.smtp import MailServer
from tests.faults.worlds import effects

PRICE = 9700


@pytest.fixture
def mail_server(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    """The shop sends by SMTP to a server with faults; it waits for half a second only."""
    server = MailServer()
    monkeypatch.setattr(delivery_module, "SMTP_TIMEOUT_SECONDS", 0.5)
    kept = {name: value for name, value in shop.app.config.items() if name.startswith("MAIL_")}
    state = shop.app.extensions["mailman"]
    settings = replace(shop.settings, mail_url=server.url)
    monkeypatch.setitem(shop.app.config, "SETTINGS", settings)
    monkeypatch.setitem(shop.app.config, "MAIL_BACKEND", "smtp")
    delivery_module.init_app(shop.app, settings)
    yield server
    server.stop()
    shop.app.config.update(kept)
    shop.app.extensions["mailman"] = state
    mail_extension.state = state


def mails() -> list[Message]:
    db.session.rollback()
    return list(db.session.scalars(select(Message).order_by(Message.id).execution_options(populate_existing=True)))


def let_a_day_pass(moving_clock: MovableClock) -> None:
    for _ in range(24):
        moving_clock.advance(hours=1)
        run_sweeps()


FAULTS = ["greets with 421", "refuses the recipient for now", "refuses the mail", "is silent"]


@pytest.mark.parametrize("mode", FAULTS)
def test_access_does_not_wait_for_the_mail_server_and_each_mail_comes_once(
    shop: Shop, mail_server: MailServer, moving_clock: MovableClock, mode: str
) -> None:
    mail_server.mode = mode
    user, course = make_user(email="maya@example.org"), make_course(unit_amount=PRICE)

    started = shop.begin(course, user=user)
    shop.pay(started)
    shop.deliver_all()

    assert (effects().state, list_open_course_ids(user_id=user.id)) == ("paid", {course.id})
    assert [(each.attempt_count, each.sent_at, each.failed_at) for each in mails()] == [(1, None, None)]
    assert "@" not in str(mails()[0].error)
    mail_server.mode = "works"
    let_a_day_pass(moving_clock)
    assert [parseaddr(mail["To"])[1] for mail in mail_server.taken] == ["maya@example.org"]
    assert mail_server.ids() == [mails()[0].message_id]
    assert mails()[0].sent_at is not None


def test_mail_server_that_is_away_for_a_weekend_gets_every_mail_once_afterwards(
    shop: Shop, mail_server: MailServer, moving_clock: MovableClock
) -> None:
    shop.buy(make_course(unit_amount=PRICE), user=make_user(email="maya@example.org"))
    taken_before = mail_server.ids()
    mail_server.mode = "greets with 421"
    started = shop.begin(make_course(unit_amount=PRICE), browser="b2")
    shop.pay(started, email="guest@example.org")
    shop.deliver_all()

    for _ in range(2):
        let_a_day_pass(moving_clock)
    mail_server.mode = "works"
    let_a_day_pass(moving_clock)

    assert len(taken_before) == 1
    assert sorted(mail["To"] for mail in mail_server.taken[1:]) == ["guest@example.org"] * 2
    assert len(set(mail_server.ids())) == 3
    assert [each.failed_at for each in mails()] == [None] * 3


def test_address_that_does_not_exist_is_given_up_within_a_day_and_others_go_out(
    shop: Shop, mail_server: MailServer, moving_clock: MovableClock
) -> None:
    mail_server.mode = "refuses the recipient"
    shop.buy(make_course(unit_amount=PRICE), user=make_user())

    let_a_day_pass(moving_clock)

    assert [(each.sent_at, each.failed_at is not None) for each in mails()] == [(None, True)]
    assert mails()[0].attempt_count == 12


@pytest.mark.parametrize("drops", [1, 3])
def test_mail_that_was_taken_without_a_word_comes_again_under_the_same_id(
    shop: Shop, mail_server: MailServer, moving_clock: MovableClock, drops: int
) -> None:
    """F92 accepts and drops: nobody can know, so it is repeated, and the Message-ID lets mail programs show one."""
    mail_server.mode = "drops"
    shop.buy(make_course(unit_amount=PRICE), user=make_user())
    for _ in range(drops - 1):
        moving_clock.advance(minutes=10)
        run_sweeps()
    mail_server.mode = "works"
    let_a_day_pass(moving_clock)

    assert mail_server.ids() == [mails()[0].message_id] * (drops + 1)
    assert {mail["Subject"] for mail in mail_server.taken} == {mail_server.taken[0]["Subject"]}


class Killed(BaseException):
    """As SIGKILL ends a worker: nothing of ours catches it."""


def test_crash_between_the_servers_answer_and_our_mark_repeats_once_under_the_same_id(
    shop: Shop, mail_server: MailServer, moving_clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = shop.begin(make_course(unit_amount=PRICE), user=make_user())
    shop.pay(started)
    with monkeypatch.context() as patch:

        def die(_message_id: int) -> None:
            raise Killed

        patch.setattr(mail_services, "_record_sent", die)
        with pytest.raises(Killed):
            shop.deliver_all()
    assert len(mail_server.taken) == 1
    row_id, header = mails()[0].id, mails()[0].message_id
    deliver_message(row_id)
    assert len(mail_server.taken) == 1, "another worker holds it for two minutes"

    let_a_day_pass(moving_clock)

    assert mail_server.ids() == [header] * 2
    assert mails()[0].sent_at is not None


# F96, a template fails


def break_template(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    real = _environment.get_template

    def get_template(template: str, *arguments: Any, **options: Any) -> Any:
        if template == name:
            return _environment.from_string("{{ nothing.of.this.name }}")
        return real(template, *arguments, **options)

    monkeypatch.setattr(_environment, "get_template", get_template)


@pytest.mark.parametrize("name", ["receipt.txt", "receipt.html"])
def test_broken_template_holds_up_neither_the_order_nor_other_mails_and_is_tried_until_repaired(
    shop: Shop, app: Flask, mail_server: MailServer, moving_clock: MovableClock, name: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        break_template(patch, name)
        started = shop.begin(make_course(unit_amount=PRICE))
        shop.pay(started, email="guest@example.org")
        shop.deliver_all()

        assert (effects().state, effects().number, effects().mails) == ("paid", 1001, ("claim", "receipt"))
        assert mail_server.ids() == [each.message_id for each in mails() if each.template == "claim_seat"]
        let_a_day_pass(moving_clock)
        receipt = next(each for each in mails() if each.template == "receipt")
        assert (receipt.sent_at, receipt.failed_at, receipt.error) == (None, None, "crashed: UndefinedError")

    let_a_day_pass(moving_clock)

    assert len(mail_server.taken) == 2
    assert sorted(mail_server.ids()) == sorted(each.message_id for each in mails())
