"""The way to an order's invoice PDF at Stripe: for its buyer, signed in or with the order's mailed link."""

from flask import redirect
from werkzeug.wrappers import Response as BaseResponse

from app.accounts.services import proved_email
from app.accounts.sessions import require_user
from app.checkout.invoices import get_order_invoice_url
from app.checkout.orders import get_order_of_link, get_order_of_user
from app.extensions import limiter
from app.site.blueprint import blueprint


@blueprint.get("/account/orders/<order>/invoice")
@limiter.limit("30/minute")
def order_invoice(order: str) -> BaseResponse:
    user = require_user()
    found = get_order_of_user(public_id=order, user_id=user.id, email=proved_email(user))
    return redirect(get_order_invoice_url(order_id=found.id), 303)


@blueprint.get("/orders/<token>/invoice")
@limiter.limit("30/minute")
def order_link_invoice(token: str) -> BaseResponse:
    return redirect(get_order_invoice_url(order_id=get_order_of_link(token).id), 303)
