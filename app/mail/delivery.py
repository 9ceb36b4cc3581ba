"""Hands a rendered mail to the mail server, or in demo and test lays it into instance/mail/ as an .eml file."""

import re
import smtplib
from email.utils import formataddr
from urllib.parse import unquote, urlsplit

from flask import Flask
from flask_mailman import EmailMultiAlternatives
from flask_mailman.message import BadHeaderError

from app.config import Settings, current_settings
from app.extensions import mail
from app.mail.rendering import RenderedMail

SMTP_TIMEOUT_SECONDS = 20
# RFC 5321: 4xx asks to try again, 5xx not to.
FIRST_FINAL_CODE = 500


class DeliveryFailed(Exception):
    """The server did not take the mail; the message is for the row, without addresses.

    is_final: it refused this very recipient or mail (5xx), and will hardly take it another day.
    """

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


def init_app(app: Flask, settings: Settings) -> None:
    """Configure the mail server of MAIL_URL; without one, mails become files."""
    url = urlsplit(settings.mail_url or "")
    app.config.update(
        MAIL_SERVER=url.hostname or "localhost",
        MAIL_PORT=url.port or (465 if url.scheme == "smtps" else 25),
        MAIL_USERNAME=unquote(url.username) if url.username else None,
        MAIL_PASSWORD=unquote(url.password) if url.password else None,
        MAIL_USE_SSL=url.scheme == "smtps",
        MAIL_USE_TLS=url.scheme == "smtp" and url.username is not None,
        MAIL_TIMEOUT=SMTP_TIMEOUT_SECONDS,
        MAIL_DEFAULT_SENDER=settings.mail_from,
    )
    mail.init_app(app)


def deliver(rendered: RenderedMail) -> None:
    """Send one mail. Raises DeliveryFailed when the server refuses, hangs up or does not answer."""
    settings = current_settings()
    try:
        message = EmailMultiAlternatives(
            subject=rendered.subject,
            body=rendered.text,
            from_email=formataddr((settings.mail_from_name or settings.site_name, settings.mail_from)),
            to=[rendered.to_address],
            headers={"Message-ID": rendered.message_id, **rendered.headers},
        )
        message.attach_alternative(rendered.html, "text/html")
        if settings.mail_url is None:
            _write_file(settings, rendered.message_id, message.message().as_bytes())
        else:
            _send(message)
    except (smtplib.SMTPException, OSError, BadHeaderError, UnicodeError) as error:
        # The text of SMTP errors repeats the address; the type is enough to act on.
        code = _read_code(error)
        is_about_mail = isinstance(error, smtplib.SMTPRecipientsRefused | smtplib.SMTPDataError)
        raise DeliveryFailed(
            f"{type(error).__name__} {code or ''}".strip(), is_final=is_about_mail and code >= FIRST_FINAL_CODE
        ) from error


def _send(message: EmailMultiAlternatives) -> None:
    try:
        message.send()
    finally:
        # The library hangs up after a success only. No QUIT: it would wait for a server that is silent already.
        smtp = getattr(message.connection, "connection", None)
        if smtp is not None:
            smtp.close()


def _read_code(error: Exception) -> int:
    """The server's answer in numbers, 0 where it gave none."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return max((code for code, _ in error.recipients.values()), default=0)
    return getattr(error, "smtp_code", 0)


def _write_file(settings: Settings, message_id: str, content: bytes) -> None:
    folder = settings.instance_path / "mail"
    folder.mkdir(exist_ok=True)
    # The same Message-ID is the same file: a repeat after a crash does not look like a second mail.
    name = re.sub(r"[^A-Za-z0-9_]", "", message_id.partition("@")[0])
    partial = folder / f".{name}.part"
    partial.write_bytes(content)
    partial.rename(folder / f"{name}.eml")
