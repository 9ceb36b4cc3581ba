"""Spans of days in the shop's time zone: 7, 30 or 90 days, 12 months, or from one day to another.

A day belongs to the shop: a payment at 23:30 UTC is the next day's in a zone two hours ahead.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from app import clock
from app.config import current_settings
from app.reports.ledger_export import Span

DEFAULT = "30d"
DAYS = {"7d": 7, "30d": 30, "90d": 90}
MONTHS = {"12m": 12}
# By key: the words of a link, and of a sentence ("28% up on the 30 days before").
LABELS = {"7d": "7 days", "30d": "30 days", "90d": "90 days", "12m": "12 months"}
# From so many days on a chart has a bar for each month.
MOST_DAILY = 92
LONGEST = timedelta(days=3660)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket:
    """A day or month of a period: what one bar stands for."""

    first_day: date
    last_day: date


@dataclass(frozen=True, kw_only=True)
class Period:
    """From the beginning of first_day to the end of last_day, in the shop's zone. key is "" for chosen days."""

    key: str
    first_day: date
    last_day: date
    zone: ZoneInfo

    @property
    def span(self) -> Span:
        """The same as moments (UTC), as the ledger's export takes it."""
        return Span(since=self._start(self.first_day), until=self._start(self.last_day + timedelta(days=1)))

    @property
    def since(self) -> datetime:
        return self._start(self.first_day)

    @property
    def until(self) -> datetime:
        return self._start(self.last_day + timedelta(days=1))

    @property
    def words(self) -> str:
        """ "30 days", for "the 30 days before"."""
        return LABELS.get(self.key) or f"{self.day_count} day{'' if self.day_count == 1 else 's'}"

    @property
    def day_count(self) -> int:
        return (self.last_day - self.first_day).days + 1

    @property
    def is_monthly(self) -> bool:
        return self.day_count > MOST_DAILY

    @cached_property
    def buckets(self) -> Sequence[Bucket]:
        """The period's days, or its months where it is long, in order."""
        found = []
        day = self.first_day
        while day <= self.last_day:
            last = min(_last_of_month(day), self.last_day) if self.is_monthly else day
            found.append(Bucket(first_day=day, last_day=last))
            day = last + timedelta(days=1)
        return found

    @cached_property
    def previous(self) -> "Period":
        """The same length just before; of 12 months, the same months a year earlier."""
        if self.key in MONTHS:
            return replace(self, first_day=add_months(self.first_day, -12), last_day=add_months(self.last_day, -12))
        length = timedelta(days=self.day_count)
        return replace(self, first_day=self.first_day - length, last_day=self.last_day - length)

    def _start(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone).astimezone(UTC)


def make_period(key: str = DEFAULT, *, first_day: date | None = None, last_day: date | None = None) -> Period:
    """The period that ends today, or the chosen days; an unknown key or a span without days is the 30 days."""
    zone = get_zone()
    today = clock.now().astimezone(zone).date()
    if first_day is not None or last_day is not None:
        last = last_day or today
        first = first_day or last
        if first <= last and last - first < LONGEST and first > date(2000, 1, 1):
            return Period(key="", first_day=first, last_day=last, zone=zone)
    if key in MONTHS:
        first = add_months(today.replace(day=1), 1 - MONTHS[key])
        return Period(key=key, first_day=first, last_day=today, zone=zone)
    key = key if key in DAYS else DEFAULT
    return Period(key=key, first_day=today - timedelta(days=DAYS[key] - 1), last_day=today, zone=zone)


def get_zone() -> ZoneInfo:
    """The shop's time zone."""
    settings = current_settings()
    return ZoneInfo(settings.site_timezone)


def add_months(day: date, count: int) -> date:
    """The same day some months later, or the month's last where it has no such day."""
    month = day.year * 12 + day.month - 1 + count
    first = date(month // 12, month % 12 + 1, 1)
    return first.replace(day=min(day.day, _last_of_month(first).day))


def _last_of_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
