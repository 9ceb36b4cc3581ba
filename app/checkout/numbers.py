"""How an order's number looks to people."""

import re

from app.config import current_settings


def format_order_number(number: int | None) -> str:
    """The invoice number with the shop's initials: 1087 of NextSkill Lab is "NSL-1087"; "" while unpaid."""
    if number is None:
        return ""
    settings = current_settings()
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+", settings.site_name)
    initials = "".join(word[0].upper() for word in words)[:4] or "T"
    return f"{initials}-{number}"
