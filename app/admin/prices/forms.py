"""The form of a new price, and the change it asks for. What may be charged is judged by the catalog."""

from collections.abc import Mapping
from typing import Any

from werkzeug.datastructures import MultiDict
from wtforms import HiddenField, SelectField
from wtforms.validators import Length, ValidationError

from app.admin.code_forms import BlamingForm
from app.admin.fields import MomentField, MoneyField, make_choices
from app.catalog.price_changes import KINDS, LATER, NOW, ON_SALE, PriceChange
from app.config import current_settings
from app.money import CURRENCIES
from app.reports.price_pages import PricePage

TOO_LONG = "Use at most 20 characters."


class PriceForm(BlamingForm):
    """A new price. kind: now, later (a change to come) or sale; seen: the price in force when it was opened."""

    OTHER_NAMES = {"unit_amount": "amount", "compare_at_amount": "compare_at"}  # noqa: RUF012

    class Meta:
        """The guard of the back-office checks the token of what changes something; this form is also asked with GET."""

        csrf = False

    kind = HiddenField()
    seen = HiddenField()
    currency = SelectField(
        "Currency", choices=make_choices((each, each.upper()) for each in sorted(CURRENCIES)), default="usd"
    )
    amount = MoneyField("New price", validators=[Length(max=20, message=TOO_LONG)])
    # Not Optional(): it would skip what is asked of an empty one below.
    starts_at = MomentField("Starts")
    ends_at = MomentField("Ends")
    compare_at = MoneyField("Struck price", validators=[Length(max=20, message=TOO_LONG)])

    def validate_amount(self, field: MoneyField) -> None:
        field.amount(self.currency.data)

    def validate_compare_at(self, field: MoneyField) -> None:
        if (field.data or "").strip():
            field.amount(self.currency.data)

    def validate_starts_at(self, field: MomentField) -> None:
        if self.kind.data == LATER and field.data is None and not field.errors:
            raise ValidationError("Choose when the new price starts.")

    def validate_ends_at(self, field: MomentField) -> None:
        if self.kind.data == ON_SALE and field.data is None and not field.errors:
            raise ValidationError("Choose when the sale ends.")


def make_form(found: PricePage, data: Mapping[str, Any], *, is_sent: bool) -> PriceForm:
    """The form over what was sent, or a new one for the currency and kind that the address names."""
    form = PriceForm(formdata=data if is_sent and isinstance(data, MultiDict) else None)
    if not is_sent:
        form.currency.data = str(data.get("currency", ""))
        form.kind.data = str(data.get("kind", NOW))
    if form.currency.data not in CURRENCIES:
        form.currency.data = _first_free_currency(found)
    if form.kind.data not in KINDS:
        form.kind.data = NOW
    prices = found.find(form.currency.data)
    if not is_sent:
        form.seen.data = prices.regular.public_id if prices.regular else ""
        if form.kind.data == ON_SALE and prices.regular:
            form.compare_at.show(prices.regular.unit_amount, form.currency.data)
    return form


def read_change(form: PriceForm, found: PricePage) -> PriceChange | None:
    """What a form asks for; None, with the reason at its field, when that cannot be read."""
    if not form.validate():
        return None
    currency, kind = form.currency.data, form.kind.data or NOW
    struck = form.compare_at.amount(currency) if (form.compare_at.data or "").strip() else None
    return PriceChange(
        kind=kind, product_id=found.product_id, currency=currency, unit_amount=form.amount.amount(currency),
        compare_at_amount=struck, starts_at=form.starts_at.data if kind != NOW else None,
        ends_at=form.ends_at.data if kind == ON_SALE else None, seen_price_id=form.seen.data or None,
    )  # fmt: skip


def _first_free_currency(found: PricePage) -> str:
    taken = {each.currency for each in found.currencies}
    own = current_settings().site_currency
    return next(each for each in (own, "eur", "usd", "gbp", *sorted(CURRENCIES)) if each not in taken)
