"""Fields that the back-office's forms share: money as people type it, moments in the shop's zone, options."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from wtforms import Field, StringField
from wtforms.fields import SelectChoice  # type: ignore[attr-defined]  # newer than its type stubs
from wtforms.validators import ValidationError
from wtforms.widgets import DateTimeLocalInput

from app.config import current_settings
from app.money import MoneyError, exponent, parse_amount, to_decimal

FORMATS = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")


def make_choices(pairs: Iterable[tuple[str, str]]) -> list[Any]:
    """Options of a select, radio or checkbox field from (value, label)."""
    return [SelectChoice(value, label) for value, label in pairs]


def shop_zone() -> ZoneInfo:
    """The zone that the shop's people think in."""
    return ZoneInfo(current_settings().site_timezone)


class MomentField(Field):
    """A moment typed in the shop's zone; data is UTC, None when it was left empty. Hint: name the zone."""

    widget = DateTimeLocalInput()

    def __init__(self, label: str | None = None, validators: Any = None, **options: Any) -> None:
        super().__init__(label, validators, **options)
        self._typed = ""

    def _value(self) -> str:
        if self._typed:
            return self._typed
        return self.data.astimezone(shop_zone()).strftime(FORMATS[0]) if self.data else ""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read what the browser sends, or what somebody typed where the browser has no picker."""
        self._typed = valuelist[0].strip() if valuelist else ""
        self.data = None
        if not self._typed:
            return
        for pattern in FORMATS:
            try:
                typed = datetime.strptime(self._typed, pattern)  # noqa: DTZ007 - the zone comes right below
            except ValueError:
                continue
            try:
                self.data = typed.replace(tzinfo=shop_zone()).astimezone(UTC)
            except OverflowError:
                break
            return
        raise ValueError("Enter a day and time such as 2026-11-27 18:00.")


class MoneyField(StringField):
    """An amount as decimal text; `amount` gives minor units once the currency is known. Never shows cents as such."""

    def show(self, amount: int | None, currency: str) -> None:
        """Fill the field with minor units, without decimals where there are none."""
        value = "" if amount is None else f"{to_decimal(amount, currency):.{exponent(currency)}f}"
        self.data = value

    def amount(self, currency: str) -> int:
        """What was typed, in minor units. Raises ValidationError with a sentence for the field."""
        try:
            return parse_amount(self.data or "", currency)
        except MoneyError as error:
            raise ValidationError(str(error)) from error
