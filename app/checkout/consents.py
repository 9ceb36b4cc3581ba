"""What a buyer agrees to before paying, in the words shown; the setting CONSENTS says which of them are asked.

eu_waiver: Directive 2011/83/EU, article 16(m): the right of withdrawal from digital content ends when performance has
begun with the consumer's express consent and acknowledgment (read 2026-11).
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace

from app import clock
from app.checkout.models import OrderConsent
from app.config import Settings, current_settings
from app.db import insert_once
from app.errors import AppError


@dataclass(frozen=True, kw_only=True, slots=True)
class Consent:
    """One box to tick. A changed text gets a new version: orders keep the words their buyer saw."""

    kind: str
    version: str
    text: str
    error: str


CONSENTS = {
    "terms": Consent(
        kind="terms",
        version="2026-11",
        text="I have read the terms of sale and agree to them.",
        error="Read the terms of sale and tick the box to go on.",
    ),
    "eu_waiver": Consent(
        kind="eu_waiver",
        version="2026-11",
        text="I want to start the course at once, and I know that I lose my right of withdrawal when it opens.",
        error="Tick the box so that the course may open at once.",
    ),
}


class ConsentNeeded(AppError):
    """The shop asks for a consent that was not given."""

    code = "consent_needed"
    status = 422
    title = "One box is missing"
    nothing_charged = True


def list_consents() -> list[Consent]:
    """The boxes this shop shows on its checkout page."""
    settings = current_settings()
    return [find_consent(kind, settings) for kind in settings.consents]


def find_consent(kind: str, settings: Settings) -> Consent:
    """A box in the shop's own words, if it has some: their version follows from the words, so none is forgotten."""
    consent = CONSENTS[kind]
    text = {"terms": settings.terms_text, "eu_waiver": settings.waiver_text}[kind].strip()
    if not text:
        return consent
    return replace(consent, text=text, version=f"own-{hashlib.sha256(text.encode()).hexdigest()[:8]}")


def check_consents(given: Collection[str]) -> None:
    """Raises ConsentNeeded with the field of the first box that is not ticked."""
    for consent in list_consents():
        if consent.kind not in given:
            raise ConsentNeeded(consent.error, field=f"consent_{consent.kind}")


def record_consents(order_id: int) -> None:
    """Keep what was agreed to with the order, once each. Inside transaction()."""
    for consent in list_consents():
        insert_once(
            OrderConsent,
            {
                "order_id": order_id,
                "kind": consent.kind,
                "text_version": consent.version,
                "text": consent.text,
                "given_at": clock.now(),
            },
            unique=["order_id", "kind"],
        )
