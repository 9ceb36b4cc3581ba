"""The checkout form, read into what checkout's services take; and what our checkout page shows of it."""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from flask import request, url_for

from app import clock
from app.accounts.emails import normalize_email
from app.accounts.models import User
from app.catalog.services import list_current_prices
from app.checkout.choices import (
    LARGEST_QUANTITY,
    LATEST_GIFT,
    LONGEST_MESSAGE,
    Choice,
    GiftWish,
    Purpose,
    Wish,
    check_quantity,
    get_choice,
)
from app.checkout.consents import list_consents
from app.checkout.quote import Quote, make_quote
from app.config import CONSENTS, current_settings
from app.errors import AppError, InvalidInput
from app.site.came_from import read_came
from app.site.shapes import shape_choice

LONGEST_FIELD = 1000
PURPOSES = ("self", "team", "gift")
FIRST_TEAM = "2"
# A gift's mail goes out in the morning of its day, in the shop's time zone.
GIFT_HOUR = time(9)


def read_wish() -> Wish:
    """What the posted form asks for. Raises InvalidInput with the field that cannot be read."""
    form = request.form
    purpose = _read_purpose(form.get("purpose", "self"))
    # The page keeps the number of seats in the form when its reader goes back from "My team".
    is_one = "purpose" in form and purpose != "team"
    return Wish(
        quantity=1 if is_one else read_quantity(form.get("quantity", "1")),
        purpose=purpose,
        # Boxes that are not ticked are not sent: where the form did not ask, a team's buyer sits on the first seat.
        takes_seat=form.get("takes_seat") == "1" if purpose == "team" else True,
        code=_read_text("code"),
        gift=_read_gift() if purpose == "gift" else None,
        consents=frozenset(kind for kind in CONSENTS if form.get(f"consent_{kind}") == "1"),
        form_key=_read_text("form_key")[:60],
    )


def read_quantity(text: str) -> int:
    """A number of seats as a person types it. Raises InvalidInput."""
    cleaned = text.strip()
    if not cleaned.isascii() or not cleaned.isdigit() or len(cleaned) > 4:  # noqa: PLR2004 - far above the largest
        raise InvalidInput(f"Enter a whole number from 1 to {LARGEST_QUANTITY}.", field="quantity")
    return int(cleaned)


def has_page_fields() -> bool:
    """Whether the form came from our checkout page; the one-click button sends a price and nothing else."""
    return "form_key" in request.form


def shape_checkout(price_id: str, *, buyer_key: str, error: AppError | None) -> dict[str, object]:
    """Everything checkout.html shows: the choice, the sums with quantity and code, and what was typed.

    A quantity or code that cannot be used is told beside its field, and the sums leave it out. Raises NotOnSale.
    """
    choice = get_choice(price_id)
    course, offer = shape_choice(choice)
    values = request.values
    errors = {error.field: error.sentence} if error is not None and error.field else {}
    purpose = values.get("purpose") or values.get("for") or ("team" if "quantity" in values else "self")
    if purpose not in PURPOSES:
        purpose = "self"
    typed = values.get("quantity", FIRST_TEAM if purpose == "team" else "1")
    quantity = 1
    if purpose == "team":
        try:
            quantity = check_quantity(read_quantity(typed))
        except InvalidInput as refused:
            errors.setdefault("quantity", refused.sentence)
    code = values.get("code", "")[:LONGEST_FIELD]
    quote, code_error = _quote(choice, quantity=quantity, code=code, buyer_key=buyer_key)
    if code_error is not None:
        errors.setdefault(code_error.field or "code", code_error.sentence)
    settings = current_settings()
    return {
        "course": course,
        "offer": offer,
        "quote": quote,
        "purpose": purpose,
        "applied_code": quote.promotion_code.code if quote.promotion_code is not None else None,
        "errors": errors,
        "values": {name: text[:LONGEST_FIELD] for name, text in values.items()} | {"quantity": typed[:10]},
        "form_key": request.form.get("form_key") or secrets.token_urlsafe(12),
        "consents": list_consents(),
        "other_prices": [
            {**asdict(price), "url": url_for("site.checkout", price_id=price.price_id)}
            for price in list_current_prices(product_id=choice.product.id)
            if price.price_id != price_id
        ],
        "came": values.get("came", "")[:LONGEST_FIELD] or read_came(),
        "post": values.get("post", "")[:LONGEST_FIELD],
        "place": values.get("place", "")[:LONGEST_FIELD],
        "refund_days": settings.refund_days,
        "is_tax_enabled": settings.is_tax_enabled,
        "is_tax_included": settings.tax_behavior == "inclusive",
        "largest_quantity": LARGEST_QUANTITY,
        "longest_message": LONGEST_MESSAGE,
        "first_gift_day": _today().isoformat(),
        "last_gift_day": (_today() + LATEST_GIFT - timedelta(days=1)).isoformat(),
    }


def _quote(choice: Choice, *, quantity: int, code: str, buyer_key: str) -> tuple[Quote, AppError | None]:
    try:
        return make_quote(choice, quantity=quantity, code=code, buyer_key=buyer_key), None
    except AppError as error:
        if error.field == "quantity":
            return make_quote(choice, quantity=1), error
        return make_quote(choice, quantity=quantity), error


def _read_purpose(text: str) -> Purpose:
    if text not in PURPOSES:
        raise InvalidInput("Choose who the course is for.", field="purpose")
    return cast(Purpose, text)


def _read_gift() -> GiftWish:
    gift = GiftWish(
        recipient_email=_read_text("recipient_email"),
        recipient_name=_read_text("recipient_name"),
        giver_name=_read_text("giver_name"),
        message=_read_text("gift_message"),
    )
    typed = _read_text("gift_on").strip()
    return replace(gift, send_at=read_gift_day(typed)) if typed else gift


def read_gift_day(text: str) -> datetime | None:
    """The morning of that day in the shop's time zone, as UTC; None for today."""
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput("Enter the day as year, month and day, for example 2027-05-31.", field="gift_on") from error
    if day < _today():
        raise InvalidInput("Choose today or a later day.", field="gift_on")
    if day == _today():
        return None
    return datetime.combine(day, GIFT_HOUR, _time_zone()).astimezone(UTC)


def format_day(moment: datetime | None) -> str:
    """The day of a moment in the shop's time zone, as a date field holds it; "" for none."""
    return "" if moment is None else moment.astimezone(_time_zone()).date().isoformat()


def _read_text(name: str) -> str:
    text = request.form.get(name, "")
    if len(text) > LONGEST_FIELD:
        raise InvalidInput("That’s too long.", field=name)
    return text


def _time_zone() -> ZoneInfo:
    settings = current_settings()
    return ZoneInfo(settings.site_timezone)


def _today() -> date:
    return clock.now().astimezone(_time_zone()).date()


def read_email(user: User | None) -> str | None:
    """The guest's typed address, normalized; None when there is none or the buyer is signed in. Raises InvalidInput."""
    typed = request.form.get("email", "").strip()
    return normalize_email(typed) if typed and user is None else None


def form_values() -> Mapping[str, str]:
    """The fields a redirect to our checkout page carries on."""
    names = ("quantity", "code", "purpose", "post", "place")
    return {name: request.form[name] for name in names if request.form.get(name)}
