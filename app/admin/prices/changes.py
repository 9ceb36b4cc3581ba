"""A new price: typed, then shown with whom it reaches, then made by one button. What was seen is sent along."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import action, page, say
from app.admin.fields import shop_zone
from app.admin.prices.forms import PriceForm, make_form, read_change
from app.catalog.price_changes import LATER, ON_SALE, PriceChange, check_change, make_change
from app.catalog.prices import PriceChanged
from app.errors import InvalidInput
from app.formatting import datetime_short, money
from app.reports.price_pages import PricePage, get_price_page, get_reach

FIX, CONFLICT = 422, 409


@page("/prices/<product_id>/change", needs=p.PRICES_WRITE)
def change_price(product_id: str) -> ResponseReturnValue:
    product = get_price_page(product_id)
    form = make_form(product, request.args, is_sent="amount" in request.args)
    if "amount" not in request.args or request.args.get("step") == "edit":
        return _render_form(product, form)
    change = read_change(form, product)
    try:
        if change is not None:
            check_change(change)
            return _render_preview(product, form, change)
    except InvalidInput as error:
        form.blame(error)
    return _render_form(product, form), FIX


@action("/prices/<product_id>/change", needs=p.PRICES_WRITE)
def change_price_now(product_id: str) -> ResponseReturnValue:
    product = get_price_page(product_id)
    form = make_form(product, request.form, is_sent=True)
    change = read_change(form, product)
    try:
        if change is not None:
            make_change(change)
            _tell(product, change)
            return redirect(url_for("admin.prices", product_id=product_id), 303)
    except InvalidInput as error:
        form.blame(error)
    except PriceChanged:
        return _render_changed(product_id, form), CONFLICT
    return _render_form(product, form), FIX


def _render_form(product: PricePage, form: PriceForm, *, news: str = "") -> str:
    found = product.find(form.currency.data)
    return render_template(
        "admin/prices/change.html", product=product, form=form, prices=found, zone=shop_zone().key, news=news,
        has_errors=bool(form.errors) or bool(news),
    )  # fmt: skip


def _render_preview(product: PricePage, form: PriceForm, change: PriceChange) -> str:
    reach = get_reach(product_id=product.product_id, currency=change.currency)
    return render_template(
        "admin/prices/preview.html", product=product, form=form, change=change, prices=product.find(change.currency),
        reach=reach,
    )  # fmt: skip


def _render_changed(product_id: str, form: PriceForm) -> str:
    """The form anew over the price as it is after the other's change, with who that was."""
    product = get_price_page(product_id)
    regular = product.find(form.currency.data).regular
    if regular is None:
        news = f"It is no longer sold in {form.currency.data.upper()}. Your new price would be its first there."
    else:
        amount = money(regular.unit_amount, form.currency.data)
        who = regular.who or "Somebody else"
        news = f"{who} was faster: it is {amount} since {datetime_short(regular.began_at)}. Nothing of yours was saved."
    form.seen.data = regular.public_id if regular else ""
    return _render_form(product, form, news=news)


def _tell(product: PricePage, change: PriceChange) -> None:
    amount = money(change.unit_amount, change.currency)
    if change.kind == LATER:
        say(f"Planned: “{product.title}” costs {amount} from {datetime_short(change.starts_at)} on.")
    elif change.kind == ON_SALE:
        begin = f"Planned: the sale at {amount} runs from {datetime_short(change.starts_at)}"
        begin = begin if change.starts_at else f"The sale at {amount} runs"
        say(f"{begin} until {datetime_short(change.ends_at)}. Then the former price comes back by itself.")
    else:
        say(f"“{product.title}” costs {amount} now. Every page shows it already.")
