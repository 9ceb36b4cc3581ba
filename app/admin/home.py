"""/admin: what needs attention first, then the figures; for a new shop the steps to its first sale."""

from typing import Any

from flask import render_template, url_for

from app.accounts import permissions as p
from app.admin.attention import list_todos
from app.admin.blueprint import ANY, may, page
from app.admin.figures import draw_sales, list_figures
from app.admin.periods import list_period_choices, page_params, read_currency, read_period
from app.admin.shell import find_url
from app.reports.attention import list_latest_orders
from app.reports.breakdowns import list_products
from app.reports.periods import Period
from app.reports.post_sales import list_post_sales, list_posts_without_sale, list_read_posts
from app.reports.sales import DEFINITIONS, read_sales
from app.reports.set_up import Step, list_set_up_steps

LATEST_ORDERS, BEST_SELLERS, MOST_POSTS = 5, 5, 5


@page("/", needs=ANY)
def home() -> str:
    period = read_period()
    return render_template(
        "admin/home.html",
        todos=list_todos(),
        period=period,
        periods=list_period_choices(period),
        definitions=DEFINITIONS,
        params=page_params(period),
        **_show_figures(period),
        orders=list_latest_orders(LATEST_ORDERS) if may(p.ORDERS_READ) else None,
        read_posts=list_read_posts(period)[:MOST_POSTS] if may(p.CONTENT_READ) and not may(p.REPORTS_READ) else None,
    )


def _show_figures(period: Period) -> dict[str, Any]:
    """The panels about money, for who may see it: the steps of a new shop stand in for figures that are all zero."""
    if not may(p.REPORTS_READ):
        return {}
    steps = list_set_up_steps()
    shown: dict[str, Any] = {"steps": [_show_step(step) for step in steps] if not all(s.is_done for s in steps) else []}
    if not steps[-1].is_done:
        return shown
    currency = read_currency()
    sales = read_sales(period)
    posts = list_post_sales(period, currency)
    products = [line for line in list_products(period, currency) if line.sums.sales]
    return shown | {
        "currency": currency,
        "figures": list_figures(sales, currency),
        "chart": draw_sales(sales, currency),
        "total": sales.total(currency).sales,
        "total_before": sales.total_before(currency).sales,
        "others": [each for each in sales.currencies if each != currency and sales.total(each).sales],
        "best_sellers": sorted(products, key=lambda line: -line.sums.sales)[:BEST_SELLERS],
        "posts": [each for each in posts if each.slug and each.last_orders][:MOST_POSTS],
        "idle_posts": list_posts_without_sale(posts)[:MOST_POSTS],
    }


def _show_step(step: Step) -> dict[str, Any]:
    """A step with its button; without an address there is none."""
    buttons = {
        "stripe": ("Check Stripe", find_url("doctor") or find_url("settings")),
        "webhook": ("Check Stripe", find_url("stripe_health")),
        "course": ("New course", find_url("new_course")),
        "price": ("Add a price", find_url("courses")),
        "order": ("Open its page", url_for("site.course", slug=step.slug) if step.slug else None),
    }
    label, url = buttons[step.key]
    return {"step": step, "label": label, "url": url}
