"""A test mail, and what the mail server said to it."""

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.accounts.emails import normalize_email
from app.admin.blueprint import action, current_staff, say
from app.errors import InvalidInput
from app.mail.trial import send_trial


@action("/settings/mail/test", needs=p.SHOP_WRITE)
def send_test_mail() -> ResponseReturnValue:
    back = redirect(url_for("admin.settings_section", section="mail", _anchor="test"), 303)
    try:
        address = normalize_email(request.form.get("to_address", "") or current_staff().email)
    except InvalidInput as error:
        say(error.sentence, "error")
        return back
    outcome = send_trial(to_address=address)
    answer = f" It said: {outcome.answer}" if outcome.answer else ""
    if outcome.is_sent:
        say(f"{outcome.sentence} Look into the inbox of {address}, and into its spam folder.")
    else:
        say(f"No mail went to {address}. {outcome.sentence}{answer}", "error")
    return back
