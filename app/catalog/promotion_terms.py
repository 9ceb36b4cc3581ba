"""What a promotion code says: its name, its terms, what it takes off and when. Pure: nothing here asks the database."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict

from app.catalog.models import PromotionCode
from app.errors import InvalidInput
from app.money import MoneyError, amount_step, check_amount, check_currency

WHOLE_PERCENT = 100
MOST_SEATS = 100  # in one order
MOST_USES = 1_000_000
LONGEST_CODE = 40
LONGEST_TYPED = 200
LONGEST_BATCH = 80
CODE = re.compile(r"[A-Z0-9][A-Z0-9-]{1,38}[A-Z0-9]")
TYPEABLE = re.compile(r"[A-Za-z0-9-]+")
# What telephones and word processors make of a hyphen.
HYPHENS = str.maketrans(dict.fromkeys("‐‑‒–—―−", "-"))
MALFORMED = "A code has 3 to 40 letters (A to Z), digits and hyphens, with no hyphen at either end."

CodeState = Literal["active", "disabled", "scheduled", "ended", "used_up"]


class CodeTerms(TypedDict, total=False):
    """What a code gives and when, as create_code() takes it: percent_off, or amount_off (minor units) and currency."""

    percent_off: int | None  # 1 to 100
    amount_off: int | None
    currency: str | None  # of amount_off
    max_redemptions: int | None  # none: no limit
    per_customer_limit: int | None  # none: no limit
    minimum_quantity: int  # seats of one order; 1 when left out
    starts_at: datetime | None  # none: at once
    ends_at: datetime | None  # none: until disabled; the first moment at which it no longer counts
    product_ids: Sequence[int]  # none: all products
    batch: str  # what list_codes() finds codes made together by


def normalize_code(text: str) -> str:
    """A code as it is stored, whatever width, case, spaces and dashes it was typed with. Raises InvalidInput."""
    if len(text) > LONGEST_TYPED:
        raise InvalidInput(MALFORMED, field="code")
    folded = unicodedata.normalize("NFKC", text).translate(HYPHENS)
    # Spaces and the invisible characters that come along when a code is copied from a mail.
    typed = "".join(char for char in folded if not char.isspace() and unicodedata.category(char) != "Cf")
    # Before upper(): it would make ASCII of letters that only look like it.
    code = typed.upper() if TYPEABLE.fullmatch(typed) else ""
    if not CODE.fullmatch(code):
        raise InvalidInput(MALFORMED, field="code")
    return code


def discount_of(code: PromotionCode, *, subtotal_amount: int, currency: str) -> int:
    """What the code takes off, in minor units of currency: never more than the subtotal, always what a card can be
    charged in. A percentage is rounded half up; an amount in another currency takes nothing off.

    Knows nothing of dates, limits and products: whether the code counts is for the caller to decide.
    """
    if code.percent_off is not None:
        step = amount_step(currency)
        # Half up in integers: floats lose a cent at amounts that occur.
        steps = (2 * subtotal_amount * code.percent_off + WHOLE_PERCENT * step) // (2 * WHOLE_PERCENT * step)
        return min(steps * step, subtotal_amount)
    if code.amount_off is None or code.currency != currency.lower():
        return 0
    return min(code.amount_off, subtotal_amount)


def decide_state(code: PromotionCode, *, moment: datetime) -> CodeState:
    """Whether the code could be used at a moment, and if not the first reason why."""
    if not code.is_active:
        return "disabled"
    if code.ends_at is not None and moment >= code.ends_at:
        return "ended"
    if code.starts_at is not None and moment < code.starts_at:
        return "scheduled"
    is_used_up = code.max_redemptions is not None and code.redeemed_count >= code.max_redemptions
    return "used_up" if is_used_up else "active"


def check_terms(terms: CodeTerms) -> dict[str, Any]:
    """The columns of these terms. Raises InvalidInput with a sentence and the field; looks at no database."""
    percent_off, amount_off = terms.get("percent_off"), terms.get("amount_off")
    if (percent_off is None) == (amount_off is None):
        raise InvalidInput("Give either a percentage or an amount that the code takes off.", field="percent_off")
    if percent_off is not None and not 1 <= percent_off <= WHOLE_PERCENT:
        raise InvalidInput("The percentage must be from 1 to 100.", field="percent_off")
    starts_at, ends_at = terms.get("starts_at"), terms.get("ends_at")
    if starts_at is not None and ends_at is not None and starts_at >= ends_at:
        raise InvalidInput("The code must end after it starts.", field="ends_at")
    total, each = terms.get("max_redemptions"), terms.get("per_customer_limit")
    if total is not None and not 1 <= total <= MOST_USES:
        raise InvalidInput(f"The number of uses must be from 1 to {MOST_USES:,}.", field="max_redemptions")
    if each is not None and not 1 <= each <= (MOST_USES if total is None else total):
        raise InvalidInput(
            "The uses of one customer must be at least 1 and no more than all uses.", field="per_customer_limit"
        )
    quantity = terms.get("minimum_quantity", 1)
    if not 1 <= quantity <= MOST_SEATS:
        raise InvalidInput(f"The smallest number of seats must be from 1 to {MOST_SEATS}.", field="minimum_quantity")
    batch = " ".join(terms.get("batch", "").split())
    if len(batch) > LONGEST_BATCH:
        raise InvalidInput(f"The batch’s name has at most {LONGEST_BATCH} characters.", field="batch")
    return {
        "batch": batch,
        "percent_off": percent_off,
        "amount_off": amount_off,
        "currency": _check_amount_off(amount_off, terms.get("currency")),
        "max_redemptions": total,
        "per_customer_limit": each,
        "minimum_quantity": quantity,
        "starts_at": starts_at,
        "ends_at": ends_at,
    }


def _check_amount_off(amount_off: int | None, currency: str | None) -> str | None:
    if amount_off is None:
        if currency is not None:
            raise InvalidInput("A percentage counts in every currency: leave the currency out.", field="currency")
        return None
    if currency is None:
        raise InvalidInput("Say the currency of the amount.", field="currency")
    try:
        code = check_currency(currency)
    except MoneyError as error:
        raise InvalidInput(str(error), field="currency") from error
    if amount_off < 1:
        raise InvalidInput("The amount taken off must be more than 0.", field="amount_off")
    try:
        check_amount(amount_off, code)
    except MoneyError as error:
        raise InvalidInput(str(error), field="amount_off") from error
    return code
