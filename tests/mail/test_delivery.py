"""The outbox: once for each cause, again after a failure, one worker at a time (fault F93)."""

import smtplib
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask import Flask
from flask_mailman import EmailMultiAlternatives

from app.db import db, transaction
from app.mail import services
from app.mail.delivery import DeliveryFailed
from app.mail.models import Message
from app.mail.rendering import RenderedMail
from app.mail.services import deliver_message, list_due_message_ids, queue_message
from app.queue import run_sweeps
from tests.conftest import MovableClock

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Server:
    """Stands where the mail server stands: keeps what it took, and refuses as often as it is told."""

    def __init__(self) -> None:
        self.taken: list[RenderedMail] = []
        self.refusals = 0
        self.is_final = False

    def take(self, mail: RenderedMail) -> None:
        if self.refusals:
            self.refusals -= 1
            raise DeliveryFailed("SMTPServerDisconnected 421", is_final=self.is_final)
        self.taken.append(mail)


@pytest.fixture
def server(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    monkeypatch.setattr(services, "deliver", server.take)
    return server


@pytest.fixture
def mail_folder(app: Flask) -> Path:
    folder: Path = app.config["SETTINGS"].instance_path / "mail"
    # Other tests of this worker mail too.
    for path in folder.glob("*"):
        path.unlink()
    return folder


def queue_one(key: str = "sign-in-link:1", send_after: datetime | None = None) -> bool:
    with transaction():
        return queue_message(
            key=key,
            template="sign_in_link",
            to_address="maya@example.org",
            data={"link_url": {"path": "/account/link/{token}", "purpose": "sign-in", "value": "sil_1"}, "minutes": 15},
            send_after=send_after,
        )


def read() -> Message:
    db.session.remove()
    return db.session.query(Message).one()


def test_a_cause_mails_once(app: Flask) -> None:
    assert queue_one() is True
    assert queue_one() is False
    assert db.session.query(Message).count() == 1


def test_a_cause_rolled_back_mails_nothing(app: Flask) -> None:
    def fail_after_queueing() -> None:
        with transaction():
            queue_message(key="receipt:1", template="password_changed", to_address="maya@example.org", data={})
            raise RuntimeError("no order")

    with pytest.raises(RuntimeError, match="no order"):
        fail_after_queueing()

    assert db.session.query(Message).count() == 0


def test_a_message_is_delivered_once(server: Server) -> None:
    queue_one()
    message_id = read().id

    for _ in range(3):
        deliver_message(message_id)

    assert [mail.to_address for mail in server.taken] == ["maya@example.org"]
    message = read()
    assert (message.sent_at is not None, message.attempt_count, message.lease_expires_at) == (True, 1, None)


def test_no_token_lies_in_the_database(server: Server) -> None:
    queue_one()
    deliver_message(read().id)

    link = next(word for word in server.taken[0].text.split() if "/account/link/" in word)
    assert len(link.rpartition("/")[2]) > 30
    assert link.rpartition("/")[2] not in str(read().data)


def test_a_failure_is_tried_again_later_with_the_same_message_id(server: Server, moving_clock: MovableClock) -> None:
    moving_clock.freeze(START)
    queue_one()
    message_id, header = read().id, read().message_id
    server.refusals = 2

    deliver_message(message_id)
    message = read()
    assert (message.attempt_count, message.error, message.sent_at) == (1, "SMTPServerDisconnected 421", None)
    assert message.send_after == START + timedelta(seconds=20)
    assert list_due_message_ids() == []
    deliver_message(message_id)
    assert read().attempt_count == 1

    moving_clock.advance(seconds=21)
    assert list_due_message_ids() == [message_id]
    deliver_message(message_id)
    assert read().send_after == START + timedelta(seconds=21 + 40)

    moving_clock.advance(seconds=41)
    deliver_message(message_id)
    assert [mail.message_id for mail in server.taken] == [header]
    assert (read().attempt_count, read().error) == (3, None)


@pytest.mark.parametrize(("is_final", "tries"), [(True, 12), (False, 45)])
def test_a_message_that_nobody_takes_is_given_up_after_hours_or_days(
    server: Server, moving_clock: MovableClock, *, is_final: bool, tries: int
) -> None:
    queue_one()
    message_id = read().id
    server.refusals, server.is_final = 100, is_final

    for _ in range(50):
        deliver_message(message_id)
        moving_clock.advance(hours=3)

    message = read()
    assert (message.attempt_count, message.failed_at is not None, message.sent_at) == (tries, True, None)
    assert list_due_message_ids() == []
    assert server.refusals == 100 - tries


def test_a_worker_that_died_blocks_a_message_for_two_minutes(server: Server, moving_clock: MovableClock) -> None:
    moving_clock.freeze(START)
    queue_one()
    message_id = read().id
    claimed = services._claim_message(message_id)
    assert claimed is not None
    assert claimed.lease_expires_at == START + timedelta(minutes=2)

    deliver_message(message_id)
    assert server.taken == []

    moving_clock.advance(minutes=2, seconds=1)
    deliver_message(message_id)
    assert len(server.taken) == 1


def test_the_sweeper_finds_what_no_task_told_of(server: Server) -> None:
    queue_one()
    queue_one("sign-in-link:2")

    assert run_sweeps() >= 2

    assert len(server.taken) == 2


def test_a_message_for_later_waits(server: Server, moving_clock: MovableClock) -> None:
    moving_clock.freeze(START)
    queue_one(send_after=START + timedelta(hours=1))
    deliver_message(read().id)
    assert server.taken == []

    moving_clock.advance(hours=1)
    deliver_message(read().id)
    assert len(server.taken) == 1


def test_of_ten_workers_at_once_one_sends(app: Flask, server: Server) -> None:
    queue_one()
    message_id = read().id
    db.session.remove()
    barrier = threading.Barrier(10)

    def work() -> None:
        with app.app_context():
            barrier.wait()
            deliver_message(message_id)

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(server.taken) == 1
    assert read().attempt_count == 1


def test_without_a_server_the_mail_is_a_file_that_mail_programs_read(mail_folder: Path) -> None:
    queue_one()
    deliver_message(read().id)

    [path] = mail_folder.glob("*.eml")
    mail = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert mail["To"] == "maya@example.org"
    assert mail["Subject"] == "Your sign-in link for NextSkill Lab"
    assert mail["Message-ID"] == read().message_id
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


@pytest.mark.parametrize(
    "failure",
    [
        smtplib.SMTPRecipientsRefused({"maya@example.org": (550, b"no such user")}),
        smtplib.SMTPDataError(451, b"try again later, maya@example.org"),
        TimeoutError("maya@example.org"),
    ],
)
def test_what_the_mail_server_says_is_kept_without_addresses(
    app: Flask, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def refuse(_message: EmailMultiAlternatives) -> None:
        raise failure

    monkeypatch.setitem(app.config, "SETTINGS", replace(app.config["SETTINGS"], mail_url="smtp://mail.example.org"))
    monkeypatch.setattr(EmailMultiAlternatives, "send", refuse)
    queue_one()

    deliver_message(read().id)

    message = read()
    assert (message.attempt_count, message.sent_at) == (1, None)
    assert message.error is not None
    assert type(failure).__name__ in message.error
    assert "@" not in message.error
