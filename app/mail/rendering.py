"""Turns a Message row into subject, text and HTML. Links are signed here, so no token lies in the database."""

import re
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from app.config import Settings, current_settings
from app.formatting import FILTERS
from app.mail.models import Message
from app.signing import sign_link


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderedMail:
    """What goes to the server."""

    to_address: str
    subject: str
    text: str
    html: str
    message_id: str
    headers: dict[str, str] = field(default_factory=dict)


_environment = Environment(
    loader=PackageLoader("app.mail", "templates"),
    autoescape=select_autoescape(("html",), default=False),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(FILTERS)


def render_message(message: Message) -> RenderedMail:
    """Render both parts and the subject from the row's template and data.

    A value {"path": "/x/{token}", "purpose": "…", "value": …} in the data becomes an absolute address, signed where the
    path has a place for the token.
    """
    settings = current_settings()
    data = {name: _resolve(value, settings) for name, value in message.data.items()}
    context = {
        **data,
        "site_name": settings.site_name,
        "public_url": settings.public_url,
        "to_address": message.to_address,
    }
    text = _environment.get_template(f"{message.template}.txt").render(context)
    subject, _, body = text.partition("\n")
    headers = {}
    if "unsubscribe_url" in data:
        headers = {
            "List-Unsubscribe": f"<{data['unsubscribe_url']}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    return RenderedMail(
        to_address=message.to_address,
        subject=_one_line(subject.removeprefix("Subject:")),
        text=body.strip() + "\n",
        html=_environment.get_template(f"{message.template}.html").render(context),
        message_id=message.message_id,
        headers=headers,
    )


def _resolve(value: Any, settings: Settings) -> Any:
    if isinstance(value, dict) and set(value) == {"path", "purpose", "value"}:
        token = sign_link(value["purpose"], value["value"])
        return settings.public_url + value["path"].replace("{token}", token)
    return value


def _one_line(subject: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f\u2028\u2029]+", " ", subject).strip()[:200]
