"""Days that filters name, as moments."""

from datetime import UTC, date, datetime, time, timedelta

from app.admin.fields import shop_zone


def begin_of(day: str, *, days: int = 0) -> datetime | None:
    """When a day of the shop's begins, as UTC; days later with days. None for "" and for a day beyond the calendar."""
    if not day:
        return None
    try:
        begin = datetime.combine(date.fromisoformat(day) + timedelta(days=days), time(), tzinfo=shop_zone())
        return begin.astimezone(UTC)
    except OverflowError:
        return None
