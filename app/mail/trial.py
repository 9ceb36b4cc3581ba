"""A mail sent now, outside the outbox, to learn what the mail server says to it."""

import smtplib
import socket
import ssl
from dataclasses import dataclass

from flask import current_app

from app import clock
from app.audit import record_audit
from app.config import Settings, current_settings
from app.db import make_public_id, retry_conflicts, transaction
from app.mail.delivery import DeliveryFailed, deliver
from app.mail.models import Message
from app.mail.rendering import render_message

LONGEST_ANSWER = 200
# The first of these that the error is says what happened.
WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (smtplib.SMTPAuthenticationError, "The mail server doesn’t accept the user name and password in MAIL_URL."),
    (smtplib.SMTPRecipientsRefused, "The mail server refuses to send to this address."),
    (smtplib.SMTPSenderRefused, "The mail server refuses the sender’s address: use one that it may send for."),
    (smtplib.SMTPDataError, "The mail server took the addresses, but refused the mail."),
    (smtplib.SMTPServerDisconnected, "The mail server hung up in the middle of the conversation."),
    (smtplib.SMTPNotSupportedError, "The mail server offers no encryption or no sign-in, and MAIL_URL asks for them."),
    (smtplib.SMTPException, "The mail server answered something unexpected."),
    (ssl.SSLError, "No encrypted connection came about: look at the port and the scheme in MAIL_URL."),
    (TimeoutError, "The mail server doesn’t answer. A firewall may block the port in MAIL_URL."),
    (socket.gaierror, "There is no mail server of that name: look at the host in MAIL_URL."),
    (ConnectionRefusedError, "Nothing answers at that host and port: look at MAIL_URL."),
    (OSError, "The mail could not be handed over."),
    (Exception, "The mail could not be made: look at the addresses."),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrialOutcome:
    """What became of the mail, in a sentence; answer is the server's own text, "" where it gave none."""

    is_sent: bool
    sentence: str
    answer: str = ""


def send_trial(*, to_address: str) -> TrialOutcome:
    """Send a short mail as the shop would and say what the server answered. Each call sends one; both are in the log.

    Without MAIL_URL it becomes a file, as all mails do then.
    """
    settings: Settings = current_app.config["SETTINGS"]
    message = Message(
        template="mail_trial",
        to_address=to_address,
        data={"sent_at": clock.now().isoformat(), "sender": current_settings().mail_from},
        message_id=f"<{make_public_id('msg')}@{settings.public_host.partition(':')[0]}>",
    )
    try:
        deliver(render_message(message))
    except DeliveryFailed as error:
        outcome = _explain(error.__cause__ or error)
    else:
        where = "The mail server took the mail." if settings.mail_url else "The mail is a file in instance/mail now."
        outcome = TrialOutcome(is_sent=True, sentence=where)
    _record(outcome)
    return outcome


def _explain(error: BaseException) -> TrialOutcome:
    if isinstance(error, smtplib.SMTPServerDisconnected) and isinstance(error.__context__, TimeoutError):
        # smtplib calls its own impatience a hang-up.
        error = error.__context__
    sentence = next(words for kind, words in WORDS if isinstance(error, kind))
    return TrialOutcome(is_sent=False, sentence=sentence, answer=_read_answer(error))


def _read_answer(error: BaseException) -> str:
    """The server's code and text in one line."""
    code: int
    text: bytes | str
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, text = next(iter(error.recipients.values()))
    elif isinstance(error, smtplib.SMTPResponseException):
        code, text = error.smtp_code, error.smtp_error
    else:
        return ""
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return " ".join(f"{code} {words}".split())[:LONGEST_ANSWER]


@retry_conflicts
def _record(outcome: TrialOutcome) -> None:
    with transaction():
        record_audit(
            action="mail.tested",
            subject_type="settings",
            subject_id="mail",
            after={"sent": outcome.is_sent, "answer": outcome.answer},
        )
