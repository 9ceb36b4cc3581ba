"""/admin/prices/<product>: what a course or bundle costs, cost and will cost; stopping what is planned or running."""

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import action, page, say
from app.admin.fields import shop_zone
from app.catalog.price_plans import stop_planned_price
from app.catalog.prices import PriceChanged, withdraw_currency
from app.errors import InvalidInput, NotFound
from app.formatting import money
from app.reports.price_pages import CurrencyPrices, PriceLine, PricePage, get_price_page, get_reach


@page("/prices/<product_id>", needs=p.PRICES_READ)
def prices(product_id: str) -> str:
    return render_template("admin/prices/page.html", product=get_price_page(product_id), zone=shop_zone().key)


@page("/prices/<product_id>/<price_id>/stop", needs=p.PRICES_WRITE)
def stop_price(product_id: str, price_id: str) -> str:
    product = get_price_page(product_id)
    found, line = _find_line(product, price_id)
    reach = get_reach(product_id=product.product_id, currency=found.currency)
    return render_template(
        "admin/prices/stop.html", product=product, prices=found, line=line, act=_name_act(found, line), reach=reach
    )


@action("/prices/<product_id>/<price_id>/stop", needs=p.PRICES_WRITE)
def stop_price_now(product_id: str, price_id: str) -> ResponseReturnValue:
    product = get_price_page(product_id)
    back = redirect(url_for("admin.prices", product_id=product_id), 303)
    try:
        found, line = _find_line(product, price_id)
        if _name_act(found, line) == "withdraw":
            withdraw_currency(product_id=product.product_id, currency=found.currency, seen_price_id=price_id)
            say(f"“{product.title}” is no longer sold in {found.currency.upper()}.")
        else:
            stop_planned_price(product_id=product.product_id, price_public_id=price_id)
            _tell_stopped(found, line)
    except InvalidInput as error:
        say(error.sentence, "error")
    except (PriceChanged, NotFound):
        say("That was over already, or somebody else stopped it. This is how the prices are now.", "warning")
    return back


def _find_line(product: PricePage, price_id: str) -> tuple[CurrencyPrices, PriceLine]:
    """What can be stopped: something planned, a running sale, or the regular price. Raises NotFound."""
    for found in product.currencies:
        for line in (*found.planned, found.now, found.regular):
            if line is not None and line.public_id == price_id:
                return found, line
    raise NotFound("This price is over. Look at the history.")


def _name_act(found: CurrencyPrices, line: PriceLine) -> str:
    if line in found.planned:
        return "cancel"
    return "end" if line.is_sale else "withdraw"


def _tell_stopped(found: CurrencyPrices, line: PriceLine) -> None:
    amount = money(line.unit_amount, found.currency)
    if line in found.planned:
        say(f"Canceled: the {'sale at' if line.is_sale else 'change to'} {amount} will not happen.")
    elif found.regular is not None:
        say(f"The sale is over. The price is {money(found.regular.unit_amount, found.currency)} again.")
