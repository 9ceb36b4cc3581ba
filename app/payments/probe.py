"""A signed event of our own, sent as Stripe sends its own: through the public address, proxies and all."""

import hashlib
import hmac
import http.client
import json
import secrets
from urllib.parse import urlsplit

from flask import current_app

from app import clock
from app.config import Settings
from app.payments.account import PINNED_VERSION
from app.payments.webhook_endpoints import PATH

# Stored, and ignored as every type that has no effect here.
PROBE_TYPE = "tuition.doctor.probe"
PROBE_TIMEOUT_SECONDS = 10
# What the doctor signs the event with that must be refused.
WRONG_SECRET = "whsec_" + "0" * 32


class Unreachable(Exception):
    """Nobody answered at the public address; the text says why, without secrets."""


def make_probe() -> tuple[str, bytes]:
    """A harmless event (id, body) that no Stripe object stands behind."""
    settings: Settings = current_app.config["SETTINGS"]
    event_id = f"evt_doctor_{secrets.token_hex(12)}"
    body = {
        "id": event_id,
        "object": "event",
        "type": PROBE_TYPE,
        "api_version": PINNED_VERSION,
        "livemode": settings.is_livemode,
        "created": int(clock.now().timestamp()),
        "data": {"object": {}},
    }
    return event_id, json.dumps(body).encode()


def post_event(body: bytes, *, secret: str) -> tuple[int, str]:
    """Deliver a body signed with secret to our public address; gives the status and where a redirect points.

    Redirects are not followed, as Stripe does not. Raises Unreachable.
    """
    settings: Settings = current_app.config["SETTINGS"]
    moment = int(clock.now().timestamp())
    signature = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    address = urlsplit(settings.public_url)
    connect = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = connect(address.hostname or "", address.port, timeout=PROBE_TIMEOUT_SECONDS)
    try:
        connection.request(
            "POST",
            PATH,
            body,
            {"Content-Type": "application/json", "Stripe-Signature": f"t={moment},v1={signature}"},
        )
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location", "")[:200]
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise Unreachable(f"{type(error).__name__}: {error}"[:200]) from error
    finally:
        connection.close()
