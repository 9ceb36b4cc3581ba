"""A test mail from the settings: it leaves at once, and what the mail server says comes back in plain words."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from app.audit import AuditEntry
from app.db import db
from app.mail.models import Message
from tests.admin.staff import Staff
from tests.checkout.conftest import Shop
from tests.faults.smtp import MailServer
from tests.faults.test_mail_faults import mail_server

__all__ = ["mail_server"]
PATH = "/admin/settings/mail/test"


def press(shop: Shop, **fields: str) -> str:
    """Send the form; gives the page that comes after it."""
    owner = Staff(shop.app, "owner")
    answer = owner.send(PATH, dict(fields))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/settings/mail#test")
    return owner.get("/admin/settings/mail").text


def list_trials() -> list[dict[str, object] | None]:
    db.session.rollback()
    return list(db.session.scalars(select(AuditEntry.after).where(AuditEntry.action == "mail.tested")))


def test_a_mail_that_is_taken_says_so_and_is_in_no_outbox(shop: Shop, mail_server: MailServer) -> None:
    page = press(shop, to_address="Ana@Example.org")

    [mail] = mail_server.taken
    assert (mail["To"], mail["Subject"]) == ("ana@example.org", "A test mail from NextSkill Lab")
    assert "The mail server took the mail. Look into the inbox of ana@example.org" in page
    assert list_trials() == [{"sent": True, "answer": ""}]
    assert db.session.scalars(select(Message.id).where(Message.template == "mail_trial")).all() == []


def test_without_an_address_it_goes_to_whoever_asks(shop: Shop, mail_server: MailServer) -> None:
    press(shop)

    assert [mail["To"] for mail in mail_server.taken] == ["owner@example.org"]


@pytest.mark.parametrize(
    ("mode", "sentence", "answer"),
    [
        ("refuses the recipient", "The mail server refuses to send to this address.", "550 nobody of that name"),
        ("refuses the mail", "The mail server took the addresses, but refused the mail.", "451 not now"),
        ("greets with 421", "The mail server answered something unexpected.", "421 busy"),
        ("drops", "The mail server hung up in the middle of the conversation.", ""),
        ("is silent", "The mail server doesn’t answer. A firewall may block the port in MAIL_URL.", ""),
    ],
)
def test_a_refusal_is_told_in_plain_words_with_the_servers_own(
    shop: Shop, mail_server: MailServer, mode: str, sentence: str, answer: str
) -> None:
    mail_server.mode = mode

    page = press(shop, to_address="ana@example.org")

    assert f"No mail went to ana@example.org. {sentence}" in page
    assert (f"It said: {answer}" in page) is bool(answer)
    assert list_trials() == [{"sent": False, "answer": answer}]


def test_where_nothing_listens_the_setting_is_named(shop: Shop, mail_server: MailServer) -> None:
    mail_server.stop()

    page = press(shop, to_address="ana@example.org")

    assert "Nothing answers at that host and port: look at MAIL_URL." in page


def test_without_a_mail_server_it_becomes_a_file(shop: Shop) -> None:
    folder = shop.settings.instance_path / "mail"
    before = set(folder.glob("*.eml"))

    page = press(shop, to_address="ana@example.org")

    assert "The mail is a file in instance/mail now." in page
    [made] = set(folder.glob("*.eml")) - before
    assert "To: ana@example.org" in made.read_text()


def test_an_address_that_is_none_sends_nothing(shop: Shop, mail_server: MailServer) -> None:
    press(shop, to_address="nobody")

    assert (mail_server.taken, list_trials()) == ([], [])


def test_a_folder_that_cannot_be_written_is_a_sentence_too(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    # A folder that is a file: the one thing that fails without a mail server.
    blocked = shop.settings.instance_path / "blocked"
    blocked.mkdir(exist_ok=True)
    (blocked / "mail").write_text("")
    monkeypatch.setitem(shop.app.config, "SETTINGS", replace(shop.settings, instance_path=blocked))

    page = press(shop, to_address="ana@example.org")

    assert "The mail could not be handed over." in page
