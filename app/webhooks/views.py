"""POST /webhooks/stripe."""

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import RequestEntityTooLarge

from app import clock
from app.config import Settings
from app.errors import AppError
from app.extensions import csrf, limiter
from app.payments.events import record_event
from app.payments.refusals import note_refusal
from app.payments.signature import SignatureInvalid, verify_signature

# Stripe's largest events are some tens of kilobytes.
LARGEST_EVENT = 512_000

blueprint = Blueprint("webhooks", __name__, url_prefix="/webhooks")
csrf.exempt(blueprint)
# Stripe may deliver a burst of thousands after an outage; what is not signed costs one HMAC.
limiter.exempt(blueprint)


class NotStripe(AppError):
    """No valid signature: one answer for every reason, so that it teaches nothing."""

    code = "signature_invalid"
    sentence = "This request is not signed by Stripe."


@blueprint.post("/stripe", strict_slashes=False)
def receive_stripe_event() -> Response:
    settings: Settings = current_app.config["SETTINGS"]
    if request.content_length is not None and request.content_length > LARGEST_EVENT:
        raise RequestEntityTooLarge
    request.max_content_length = LARGEST_EVENT
    payload, header = request.get_data(cache=False), request.headers.get("Stripe-Signature", "")
    try:
        verify_signature(
            payload=payload, header=header, secrets=settings.stripe_webhook_secrets, moment=clock.now()
        )  # fmt: skip
    except SignatureInvalid as error:
        note_refusal(str(error), payload=payload, header=header)
        raise NotStripe from error
    record_event(payload=payload)
    return Response('{"received": true}', 200, mimetype="application/json")
