"""The refund page's form, and the choice it makes."""

from collections.abc import Mapping
from typing import Any

from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import HiddenField, IntegerField, RadioField, SelectField, SelectMultipleField, StringField
from wtforms.validators import DataRequired, Length, Optional
from wtforms.widgets import CheckboxInput, HiddenInput, ListWidget

from app.admin.fields import make_choices
from app.checkout.refund_plans import RefundScope
from app.money import MoneyError, parse_amount, to_decimal
from app.reports.refund_pages import RefundPage

REASONS = ("Requested by customer", "Bought twice", "Price difference", "Bought by mistake", "Fraud", "Another reason")


class RefundForm(FlaskForm):
    """What goes back and why. shown is the choice whose consequences were shown, left what could be refunded then."""

    what = RadioField("What goes back", validators=[DataRequired("Choose what goes back.")])
    amount = StringField("Amount", validators=[Optional(), Length(max=20, message="Use at most 20 characters.")])
    seats = SelectMultipleField(
        "Seats", widget=ListWidget(prefix_label=False), option_widget=CheckboxInput(), validators=[Optional()]
    )
    reason = SelectField("Reason", choices=make_choices((each, each) for each in REASONS), default=REASONS[0])
    detail = StringField(
        "More about it", validators=[Optional(), Length(max=200, message="Use at most 200 characters.")]
    )
    key = HiddenField()
    shown = HiddenField()
    left = IntegerField(widget=HiddenInput(), validators=[Optional()])

    @property
    def full_reason(self) -> str:
        """The chosen reason and what was added to it."""
        return ": ".join(each for each in (self.reason.data, (self.detail.data or "").strip()) if each)


def make_form(order: RefundPage, data: Mapping[str, Any] | None) -> RefundForm:
    """The form over what was sent; without anything, over all that is left."""
    form = RefundForm(formdata=data if isinstance(data, MultiDict) else None)
    choices = [("amount", "An amount")]
    if len(order.seats) > 1:
        choices.append(("seats", "Seats"))
    if len(order.lines) > 1:
        choices += [(f"line-{line}", title) for line, title in order.lines]
    form.what.choices = make_choices(choices)
    form.seats.choices = make_choices(
        (str(each.number), each.holder or "Nobody yet") for each in order.seats if not each.is_closed
    )
    if data is None:
        form.what.data, form.seats.data = "amount", []
        form.amount.data = f"{to_decimal(order.left_amount, order.currency):f}"
    return form


def read_scope(form: RefundForm, order: RefundPage) -> RefundScope | None:
    """What the form asks to give back; None, with the reason at its field, when that cannot be read."""
    what = form.what.data or ""
    try:
        if what == "amount":
            return RefundScope(amount=parse_amount(form.amount.data or "", order.currency))
    except MoneyError as error:
        form.amount.errors = [str(error)]
        return None
    if what == "seats":
        if not form.seats.data:
            form.seats.errors = ["Choose at least one seat."]
            return None
        return RefundScope(seats=tuple(sorted(int(each) for each in set(form.seats.data))))
    line = what.removeprefix("line-")
    if not line.isascii() or not line.isdigit() or len(line) > 4:  # noqa: PLR2004 - more lines than an order has
        return None
    return RefundScope(line=int(line))


def write_scope(scope: RefundScope) -> str:
    """The choice as text, to compare what was shown with what was sent."""
    if scope.amount is not None:
        return f"amount:{scope.amount}"
    return f"line:{scope.line}" if scope.line is not None else "seats:" + ",".join(map(str, scope.seats))
