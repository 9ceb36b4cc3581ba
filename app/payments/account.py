"""What the Stripe account itself says: mode, version, clock, tax settings, and its webhook endpoints."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

import stripe

from app.config import current_settings
from app.payments.gateway import PAGE_SIZE, PaymentUnavailable, stripe_client, stripe_errors

# The version that this SDK reads and that every call asks for.
PINNED_VERSION = stripe.api_version


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountFacts:
    """The account behind the key. answered_at is Stripe's clock, None where the answer names no time."""

    id: str
    can_charge: bool
    api_version: str
    answered_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class EndpointFacts:
    """A webhook endpoint; api_version is None where it follows the account's default. secret only when just made."""

    id: str
    url: str
    is_enabled: bool
    livemode: bool
    api_version: str | None
    enabled_events: tuple[str, ...]
    secret: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class TaxFacts:
    """Stripe's automatic tax: "active", or "pending" with the fields that are still missing."""

    status: str
    missing_fields: tuple[str, ...]


def get_account() -> AccountFacts:
    """The account. Raises PaymentUnavailable."""
    with stripe_errors("account"):
        account = stripe_client().v1.accounts.retrieve_current()
        headers = {name.lower(): value for name, value in _read_headers(account).items()}
        facts = account.to_dict()
        return AccountFacts(
            id=str(facts["id"]),
            can_charge=facts.get("charges_enabled") is True,
            api_version=headers.get("stripe-version", ""),
            answered_at=_read_date(headers.get("date", "")),
        )


def get_tax() -> TaxFacts:
    """The tax settings. Raises PaymentUnavailable, PaymentRefused."""
    with stripe_errors("tax_settings"):
        facts = stripe_client().v1.tax.settings.retrieve().to_dict()
        pending = (facts.get("status_details") or {}).get("pending") or {}
        return TaxFacts(
            status=str(facts.get("status") or ""),
            missing_fields=tuple(str(name) for name in pending.get("missing_fields") or ()),
        )


def list_endpoints() -> list[EndpointFacts]:
    """Every webhook endpoint of the account in the key's mode. Raises PaymentUnavailable."""
    with stripe_errors("webhook_endpoint"):
        pages = stripe_client().v1.webhook_endpoints.list({"limit": PAGE_SIZE}).auto_paging_iter()
        return [_read_endpoint(each.to_dict()) for each in pages]


def create_endpoint(*, url: str, events: list[str]) -> EndpointFacts:
    """A new endpoint that speaks the pinned version; its secret is shown only now. Not idempotent: look first.

    Raises PaymentRefused, PaymentUnavailable: it may have been made all the same.
    """
    settings = current_settings()
    params = {
        "url": url,
        "enabled_events": events,
        "api_version": PINNED_VERSION,
        "description": settings.site_name,
        "metadata": {"app_id": settings.stripe_app_id},
    }
    # The key is for the SDK's own repeats only: a later run that finds no endpoint must be able to make one.
    with stripe_errors("webhook_endpoint"):
        made = stripe_client().v1.webhook_endpoints.create(
            cast(Any, params), {"idempotency_key": f"webhook_endpoint:{secrets.token_hex(8)}"}
        )
        return _read_endpoint(made.to_dict())


def update_endpoint(endpoint_id: str, *, events: list[str]) -> EndpointFacts:
    """Subscribe an endpoint to exactly these events and switch it on. Raises PaymentRefused, PaymentUnavailable."""
    params = {"enabled_events": events, "disabled": False}
    with stripe_errors("webhook_endpoint"):
        changed = stripe_client().v1.webhook_endpoints.update(endpoint_id, cast(Any, params))
        return _read_endpoint(changed.to_dict())


def is_key_refused(error: PaymentUnavailable) -> bool:
    """Whether Stripe did answer, namely that it does not accept the key."""
    return isinstance(error.__cause__, stripe.AuthenticationError | stripe.PermissionError)


def _read_endpoint(endpoint: Mapping[str, Any]) -> EndpointFacts:
    return EndpointFacts(
        id=str(endpoint["id"]),
        url=str(endpoint["url"]),
        is_enabled=endpoint.get("status") == "enabled",
        livemode=endpoint.get("livemode") is True,
        api_version=endpoint.get("api_version"),
        enabled_events=tuple(str(name) for name in endpoint.get("enabled_events") or ()),
        secret=endpoint.get("secret"),
    )


def _read_headers(account: stripe.Account) -> Mapping[str, str]:
    response = account.last_response
    return {} if response is None else response.headers


def _read_date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        return None
