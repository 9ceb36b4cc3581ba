"""Whether mails could leave: a conversation with the mail server that ends before any mail."""

import os
import smtplib

from flask import current_app

from app.config import Settings
from app.extensions import mail
from app.mail.delivery import DeliveryFailed


def probe_delivery() -> str:
    """Connect, greet and sign in as for a mail, and send none; says what was reached, without secrets.

    Without MAIL_URL, mails become files: their folder must be writable. Raises DeliveryFailed.
    """
    settings: Settings = current_app.config["SETTINGS"]
    if settings.mail_url is None:
        folder = settings.instance_path / "mail"
        writable = folder if folder.exists() else settings.instance_path
        if not os.access(writable, os.W_OK | os.X_OK):
            raise DeliveryFailed("The folder for mails can’t be written.")
        return "mails become files in the instance folder"
    try:
        connection = mail.get_connection(backend="smtp")
        connection.open()
        try:
            connection.connection.ehlo_or_helo_if_needed()
            code, _ = connection.connection.noop()
        finally:
            connection.close()
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        code = getattr(error, "smtp_code", "")
        raise DeliveryFailed(f"{type(error).__name__} {code}".strip()) from error
    if code != 250:  # noqa: PLR2004 - SMTP's "all right" (RFC 5321)
        raise DeliveryFailed(f"The server answered {code}.")
    return "the mail server takes our connection" + (" and sign-in" if current_app.config["MAIL_USERNAME"] else "")
