"""/admin/stripe/products: what Stripe has of each product and price, and sending again what it lacks."""

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response as BaseResponse

from app.accounts import permissions as p
from app.admin.blueprint import action, page, say
from app.admin.listing import ListSpec, View, read_list_state
from app.checkout.mirror_sync import ask_to_send_all, compare_with_stripe, send_product_again
from app.errors import AppError, NotFound
from app.payments.gateway import brief_patience
from app.reports.mirror_pages import find_compared_at, list_mirror_page

VIEWS = (View(key="", label="All on sale"), View(key="attention", label="Not in sync"))


@page("/stripe/products", needs=p.STRIPE_READ)
def stripe_products() -> str:
    state = read_list_state(ListSpec(views=VIEWS))
    found = list_mirror_page(view=state.view, number=state.page)
    return render_template("admin/stripe/products.html", state=state, page=found, compared_at=find_compared_at())


@action("/stripe/products/compare", needs=p.STRIPE_WRITE)
def compare_stripe_products() -> ResponseReturnValue:
    try:
        with brief_patience():
            compared = compare_with_stripe()
    except AppError as error:
        say(f"Nothing was compared. {error.sentence}", "error")
    else:
        rest = "" if compared.is_complete else " The account has more than could be read; the rest was left as it was."
        trouble = f"{compared.trouble_count} of them differ." if compared.trouble_count else "All are in sync."
        say(f"{compared.count} products and prices were compared. {trouble}{rest}")
    return _back()


@action("/stripe/products/send", needs=p.STRIPE_WRITE)
def send_all_products() -> ResponseReturnValue:
    count = ask_to_send_all()
    if count:
        say(f"{count} product{' is' if count == 1 else 's are'} on the way to Stripe. Reload in a moment.")
    else:
        say("Nothing to send: every product on sale is in sync.")
    return _back()


@action("/stripe/products/<public_id>/send", needs=p.STRIPE_WRITE)
def send_product(public_id: str) -> ResponseReturnValue:
    try:
        send_product_again(public_id)
        say("Stripe has it as the shop does now.")
    except NotFound:
        raise
    except AppError as error:
        say(f"It could not be sent. {error.sentence}", "error")
    return _back()


def _back() -> BaseResponse:
    return redirect(url_for("admin.stripe_products"), 303)
