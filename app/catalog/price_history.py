"""What was charged when: the history that the price rows of one product and currency tell. Pure, no database.

Source of the 30 days: Directive 98/6/EC, Article 6a (the "Omnibus" rule): beside a reduction stands the lowest price
of the 30 days before it began.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.catalog.models import Price
from app.catalog.price_rules import RETIRED, SALE, SCHEDULED

LOOK_BACK = timedelta(days=30)


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """A span in which one price was charged, or will be by plan. ended_at is not part of it; None: no end is known."""

    price: Price
    began_at: datetime
    ended_at: datetime | None

    def touches(self, since: datetime, until: datetime) -> bool:
        """Whether any of it lies between the two moments, the second left out."""
        return self.began_at < until and (self.ended_at is None or self.ended_at > since)


def list_periods(prices: Iterable[Price]) -> list[Period]:
    """What was charged and will be by plan, oldest first, from all rows of one product and currency."""
    spans = _list_spans(prices)
    moments = sorted({moment for span in spans for moment in (span.began_at, span.ended_at) if moment is not None})
    periods: list[Period] = []
    for index, began_at in enumerate(moments):
        ended_at = moments[index + 1] if index + 1 < len(moments) else None
        price = _find_charged(spans, began_at)
        if price is None:
            continue
        goes_on = periods and periods[-1].price.id == price.id and periods[-1].ended_at == began_at
        first = periods.pop().began_at if goes_on else began_at
        periods.append(Period(price=price, began_at=first, ended_at=ended_at))
    return periods


def list_regular_periods(prices: Iterable[Price]) -> list[Period]:
    """The same without sales: what their windows lie over."""
    return list_periods(price for price in prices if price.kind != SALE)


def list_charged(periods: Sequence[Period], *, before: datetime) -> list[int]:
    """The amounts charged at any moment of the 30 days before, lowest first, each once."""
    since = before - LOOK_BACK
    return sorted({each.price.unit_amount for each in periods if each.touches(since, before)})


def find_lowest(periods: Sequence[Period], *, before: datetime) -> int | None:
    """The lowest amount of the 30 days before a moment; None where nothing was on sale then."""
    return next(iter(list_charged(periods, before=before)), None)


def begin_of(price: Price) -> datetime | None:
    """When a price began or is to begin; None for one that was canceled before."""
    return price.scheduled_at if price.status == SCHEDULED else price.activated_at


def _list_spans(prices: Iterable[Price]) -> list[Period]:
    begun = [(began_at, price) for price in prices if (began_at := begin_of(price)) is not None]
    regular_begins = sorted(began_at for began_at, price in begun if price.kind != SALE)
    spans = []
    for began_at, price in begun:
        ends = [price.ends_at, price.retired_at if price.status == RETIRED else None]
        if price.kind != SALE:
            ends.append(next((moment for moment in regular_begins if moment > began_at), None))
        ended_at = min((moment for moment in ends if moment is not None), default=None)
        if ended_at is None or ended_at > began_at:
            spans.append(Period(price=price, began_at=began_at, ended_at=ended_at))
    return spans


def _find_charged(spans: Sequence[Period], moment: datetime) -> Price | None:
    covering = [
        span.price for span in spans if span.began_at <= moment and (span.ended_at is None or span.ended_at > moment)
    ]
    return max(covering, key=lambda price: (price.kind == SALE, price.id), default=None)
