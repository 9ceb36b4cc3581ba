"""Hands a rendered mail to the mail server, or in demo and test lays it into instance/mail/ as an .eml file."""

import re
import smtplib
from urllib.parse import unquote, urlsplit

from flask import Flask, current_app
from flask_mailman import EmailMultiAlternatives
from flask_mailman.message import BadHeaderError

from app.config import Settings
from app.extensions import mail
from app.mail.rendering import RenderedMail

SMTP_TIMEOUT_SECONDS = 20


class DeliveryFailed(Exception):
    """The server did not take the mail; the message is for the row, without addresses."""


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
    settings: Settings = current_app.config["SETTINGS"]
    try:
        message = EmailMultiAlternatives(
            subject=rendered.subject,
            body=rendered.text,
            from_email=f"{settings.site_name} <{settings.mail_from}>",
            to=[rendered.to_address],
            headers={"Message-ID": rendered.message_id, **rendered.headers},
        )
        message.attach_alternative(rendered.html, "text/html")
        if settings.mail_url is None:
            _write_file(settings, rendered.message_id, message.message().as_bytes())
        else:
            message.send()
    except (smtplib.SMTPException, OSError, BadHeaderError, UnicodeError) as error:
        # The text of SMTP errors repeats the address; the type is enough to act on.
        code = getattr(error, "smtp_code", "")
        raise DeliveryFailed(f"{type(error).__name__} {code}".strip()) from error


def _write_file(settings: Settings, message_id: str, content: bytes) -> None:
    folder = settings.instance_path / "mail"
    folder.mkdir(exist_ok=True)
    # The same Message-ID is the same file: a repeat after a crash does not look like a second mail.
    name = re.sub(r"[^A-Za-z0-9_]", "", message_id.partition("@")[0])
    partial = folder / f".{name}.part"
    partial.write_bytes(content)
    partial.rename(folder / f"{name}.eml")
