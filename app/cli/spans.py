"""Days and moments as people type them for --since and --until."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import click

from app.config import current_settings


def parse_since(text: str | None) -> datetime | None:
    """The moment that a day or time begins, as UTC; without a zone it is the shop's. Raises BadParameter."""
    return None if text is None else _parse(text, days=0)


def parse_until(text: str | None) -> datetime | None:
    """The moment up to which a span goes, as UTC: a day counts to its end, a time does not count itself."""
    return None if text is None else _parse(text, days=1)


def _parse(text: str, *, days: int) -> datetime:
    settings = current_settings()
    zone = ZoneInfo(settings.site_timezone)
    try:
        moment = datetime.fromisoformat(text)
        if len(text) == len("2026-01-31"):
            moment = datetime.combine(moment.date() + timedelta(days=days), time(), tzinfo=zone)
        elif moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(f"“{text[:40]}” is no date: write 2026-01-31 or 2026-01-31T18:30:00Z.") from error
