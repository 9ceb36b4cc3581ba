"""The invoice that Stripe made of an order, where the shop lets it; our own receipt is always there."""

from sqlalchemy import select

from app.checkout.models import Order
from app.db import db
from app.errors import NotFound
from app.payments.gateway import StripeObjectMissing, get_invoice_url


def get_order_invoice_url(*, order_id: int) -> str:
    """Where the PDF can be fetched now; whose order it is was decided before.

    Raises NotFound (none was made, or it is not ready yet), PaymentUnavailable.
    """
    invoice_id = db.session.scalar(select(Order.stripe_invoice_id).where(Order.id == order_id))
    if invoice_id is None:
        raise NotFound
    try:
        return get_invoice_url(invoice_id)
    except StripeObjectMissing as error:
        raise NotFound from error
