"""Stripe's test cards and what each of them does. Source: Stripe's page on testing (read 2026-11)."""

import time
from dataclasses import dataclass

from app.sandbox.errors import CardDeclined


@dataclass(frozen=True)
class Decline:
    """Why a payment fails."""

    code: str
    decline_code: str | None
    message: str


@dataclass(frozen=True)
class TestCard:
    """A number and its fate."""

    __test__ = False  # no test class, whatever pytest thinks of the name

    number: str
    effect: str
    brand: str = "visa"
    decline: Decline | None = None
    asks_3ds: bool = False
    dispute_reason: str | None = None
    is_inquiry: bool = False
    is_suspected: bool = False
    refund_fate: str = "succeeded"
    is_common: bool = False

    @property
    def shown(self) -> str:
        return " ".join(self.number[i : i + 4] for i in range(0, len(self.number), 4))

    @property
    def last4(self) -> str:
        return self.number[-4:]


def _declined(decline_code: str, message: str = "Your card was declined.") -> Decline:
    return Decline("card_declined", decline_code, message)


_EXPIRED = Decline("expired_card", None, "Your card has expired.")
_CVC = Decline("incorrect_cvc", None, "Your card's security code is incorrect.")
_PROCESSING = Decline(
    "processing_error", None, "An error occurred while processing your card. Try again in a little bit."
)
_NUMBER = Decline("incorrect_number", None, "Your card number is incorrect.")
_LIVE_CARD = _declined(
    "test_mode_live_card",
    "Your card was declined. Your request was in test mode, but used a non test card. For a list of valid test cards, "
    "visit: https://stripe.com/docs/testing.",
)
_NOT_AUTHENTICATED = Decline(
    "payment_intent_authentication_failure",
    None,
    "We are unable to authenticate your payment method. Choose a different payment method and try again.",
)

CARDS = (
    TestCard("4242424242424242", "Pays at once", is_common=True),
    TestCard("5555555555554444", "Pays at once (Mastercard)", brand="mastercard"),
    TestCard("4000000000000077", "Pays at once, available at once"),
    TestCard("4000002760003184", "Asks for 3-D Secure every time", asks_3ds=True, is_common=True),
    TestCard("4000000000003220", "Asks for 3-D Secure 2", asks_3ds=True),
    TestCard("4000002500003155", "Asks for 3-D Secure unless set up", asks_3ds=True),
    TestCard(
        "4000008400001629",
        "Asks for 3-D Secure, then is declined",
        asks_3ds=True,
        decline=_declined("generic_decline"),
    ),
    TestCard(
        "4000008260003178",
        "Asks for 3-D Secure, then lacks funds",
        asks_3ds=True,
        decline=_declined("insufficient_funds", "Your card has insufficient funds."),
    ),
    TestCard("4000000000000002", "Is declined", decline=_declined("generic_decline"), is_common=True),
    TestCard(
        "4000000000009995",
        "Lacks funds",
        decline=_declined("insufficient_funds", "Your card has insufficient funds."),
    ),
    TestCard("4000000000009987", "Was reported lost", decline=_declined("lost_card")),
    TestCard("4000000000009979", "Was reported stolen", decline=_declined("stolen_card")),
    TestCard("4000000000000069", "Has expired", decline=_EXPIRED),
    TestCard("4000000000000127", "Has the wrong CVC", decline=_CVC),
    TestCard("4000000000000119", "Meets a processing error", decline=_PROCESSING),
    TestCard("4100000000000019", "Is blocked as fraud", decline=_declined("fraudulent")),
    TestCard("4000000000000259", "Pays, then is disputed as fraud", dispute_reason="fraudulent"),
    TestCard("4000000000002685", "Pays, then is disputed as not received", dispute_reason="product_not_received"),
    TestCard("4000000000001976", "Pays, then its bank inquires", dispute_reason="fraudulent", is_inquiry=True),
    TestCard("4000000000005423", "Pays, then its bank warns of fraud", is_suspected=True),
    TestCard("4000000000007726", "Pays; its refund stays pending, then succeeds", refund_fate="pending_succeeded"),
    TestCard("4000000000005126", "Pays; its refund succeeds, then fails", refund_fate="succeeded_failed"),
)
_CARD_LENGTHS = range(12, 20)
_BY_NUMBER = {card.number: card for card in CARDS}


def find_card(typed: str) -> TestCard:
    """The test card for what was typed. Raises CardDeclined for a mistyped number or a card that is no test card."""
    number = "".join(character for character in typed if character not in " -")
    if not (number.isascii() and number.isdigit() and len(number) in _CARD_LENGTHS) or not _passes_luhn(number):
        raise declined(_NUMBER)
    card = _BY_NUMBER.get(number)
    if card is None:
        raise declined(_LIVE_CARD)
    return card


def declined(decline: Decline, *, charge: str | None = None) -> CardDeclined:
    return CardDeclined(decline.message, code=decline.code, decline_code=decline.decline_code, charge=charge)


def authentication_failure() -> Decline:
    """The buyer did not pass 3-D Secure."""
    return _NOT_AUTHENTICATED


def read_expiry(typed: str, at: int) -> tuple[int, int]:
    """(month, year) of `MM / YY` or `MM/YYYY`. Raises CardDeclined if it is none or lies before the time `at`."""
    month, _, year = typed.replace(" ", "").replace("-", "/").partition("/")
    if not year and len(month) == len("1234"):
        month, year = month[:2], month[2:]
    if not (month.isascii() and month.isdigit() and int(month) in range(1, 13)):
        raise declined(Decline("invalid_expiry_month", None, "Your card's expiration month is invalid."))
    if not (year.isascii() and year.isdigit() and len(year) in (2, 4)):
        raise declined(Decline("invalid_expiry_year", None, "Your card's expiration year is invalid."))
    full = int(year) + (2000 if len(year) == len("34") else 0)
    if (full, int(month)) < _month_of(at) or full > _month_of(at)[0] + 50:
        raise declined(Decline("invalid_expiry_year", None, "Your card's expiration date is in the past."))
    return int(month), full


def check_cvc(typed: str) -> None:
    """Raises CardDeclined unless it has three or four digits."""
    if not (typed.isascii() and typed.isdigit() and len(typed) in (3, 4)):
        raise declined(Decline("invalid_cvc", None, "Your card's security code is invalid."))


def _month_of(at: int) -> tuple[int, int]:
    utc = time.gmtime(at)
    return utc.tm_year, utc.tm_mon


def _passes_luhn(number: str) -> bool:
    total = 0
    for index, digit in enumerate(reversed(number)):
        value = int(digit) * (2 if index % 2 else 1)
        total += sum(divmod(value, 10))
    return total % 10 == 0
