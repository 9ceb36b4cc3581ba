"""Shapes that the order and checkout templates take, made from what the services return."""

from dataclasses import asdict
from typing import Any

from flask import url_for

from app.checkout.choices import Choice
from app.checkout.orders import OrderView
from app.formatting import mask_email
from app.reports.library import list_course_slugs
from app.site.drawings import cover_url


def shape_order(order: OrderView) -> dict[str, Any]:
    """An order for the receipt card; the address is masked, for the page may be bookmarked or shown around."""
    slugs = list_course_slugs(order.course_ids)
    lines = []
    for item in order.items:
        slug = next((slugs[course_id] for course_id in item.course_ids if course_id in slugs), "")
        lines.append({**asdict(item), "cover_url": cover_url(slug, None)})
    return {
        **asdict(order),
        "items": lines,
        "tax_amount": order.tax_amount or None,
        "email_masked": mask_email(order.email),
        "method_label": order.payment_method_label,
        "billed_to": order.customer_name,
        "gift_email_masked": mask_email(order.gift_recipient_email),
        "receipt_url": url_for("site.order_invoice", order=order.public_id) if order.has_invoice else None,
    }


def shape_choice(choice: Choice) -> tuple[dict[str, Any], dict[str, Any]]:
    """(course, offer) for our checkout page. A bundle stands there like a course, what is in it is its promise."""
    course = choice.courses[0]
    is_bundle = choice.product.slug is not None
    page_url = (
        url_for("site.bundle", slug=choice.product.slug) if is_bundle else url_for("site.course", slug=course.slug)
    )
    shaped = {
        "slug": course.slug,
        "title": choice.product.title,
        "promise": ", ".join(each.title for each in choice.courses) if is_bundle else course.promise,
        "cover_url": cover_url(course.slug, course.cover_path),
        "page_url": page_url,
        "is_bundle": is_bundle,
    }
    offer = {
        "price_id": choice.price.public_id,
        "unit_amount": choice.price.unit_amount,
        "currency": choice.price.currency,
        "course_url": page_url,
    }
    return shaped, offer
