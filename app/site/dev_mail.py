"""/dev/mail: what the demo would have mailed. Exists only while there is no mail server and never in production."""

from flask import Response, abort, current_app, render_template

from app.config import Settings
from app.mail.rendering import render_message
from app.mail.services import get_message, list_recent_messages
from app.site.blueprint import blueprint

# A mail's own inline styles are its only way to look like something; scripts and foreign loads stay off.
MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'none'"


@blueprint.get("/dev/mail")
def dev_mail() -> Response:
    _refuse_outside_demo()
    messages = [
        (each.id, each.to_address, render_message(each).subject, each.sent_at or each.created_at)
        for each in list_recent_messages()
    ]
    return Response(render_template("dev_mail.html", messages=messages), headers={"Cache-Control": "no-store"})


@blueprint.get("/dev/mail/<int:message_id>")
def dev_mail_message(message_id: int) -> Response:
    _refuse_outside_demo()
    message = get_message(message_id)
    headers = {"Content-Security-Policy": MAIL_POLICY, "Cache-Control": "no-store"}
    return Response(render_message(message).html, headers=headers)


def _refuse_outside_demo() -> None:
    settings: Settings = current_app.config["SETTINGS"]
    if settings.is_production or settings.mail_url is not None:
        abort(404)
