"""Our webhook endpoint at Stripe, made or repaired on a person's word."""

from app.audit import record_audit
from app.checkout.events import HANDLED_EVENTS
from app.db import retry_conflicts, transaction
from app.payments.webhook_endpoints import Configured, configure_endpoint


def configure_own_endpoint() -> Configured:
    """Make our endpoint, or add what it lacks and switch it on; the audit log says who did. See configure_endpoint().

    Raises PaymentRefused, PaymentUnavailable.
    """
    configured = configure_endpoint(HANDLED_EVENTS)
    if configured.action != "unchanged":
        _record(configured)
    return configured


@retry_conflicts
def _record(configured: Configured) -> None:
    endpoint = configured.endpoint
    with transaction():
        # Never the secret: it is shown once and kept nowhere.
        record_audit(
            action=f"webhook_endpoint.{configured.action}",
            subject_type="webhook_endpoint",
            subject_id=endpoint.id,
            after={"url": endpoint.url, "events": len(endpoint.enabled_events)},
        )
