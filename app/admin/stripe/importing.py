"""/admin/stripe/import: products that the Stripe account has from before, ticked and taken over as drafts."""

from typing import cast

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import action, page, say
from app.catalog.stripe_import import Kind, import_products, plan_import
from app.errors import AppError
from app.payments.gateway import PaymentUnavailable, brief_patience

MOST_TICKED = 200
KINDS = ("course", "bundle")


@page("/stripe/import", needs=p.STRIPE_WRITE)
def stripe_import() -> str:
    try:
        with brief_patience():
            plan = plan_import()
    except PaymentUnavailable:
        return render_template("admin/stripe/import.html", plan=None)
    return render_template("admin/stripe/import.html", plan=plan)


@action("/stripe/import", needs=p.STRIPE_WRITE)
def import_from_stripe() -> ResponseReturnValue:
    kinds = _read_kinds()
    if not kinds:
        say("Tick at least one product first.", "warning")
        return redirect(url_for("admin.stripe_import"), 303)
    try:
        with brief_patience():
            imported = import_products(kinds)
    except AppError as error:
        say(f"Nothing was imported. {error.sentence}", "error")
    else:
        _tell(imported.titles, imported.skipped_count)
    return redirect(url_for("admin.stripe_import"), 303)


def _tell(titles: tuple[str, ...], skipped_count: int) -> None:
    if titles:
        names = ", ".join(f"“{title}”" for title in titles[:3])
        more = f" and {len(titles) - 3} more" if len(titles) > 3 else ""  # noqa: PLR2004 - as many as are named
        say(f"Imported as drafts: {names}{more}. Nobody sees them until you publish them.")
    if skipped_count:
        say(f"{skipped_count} left out: already here, or no longer possible. The table says why.", "warning")


def _read_kinds() -> dict[str, Kind]:
    ids = request.form.getlist("products")[:MOST_TICKED]
    kinds = {each: request.form.get(f"kind-{each}", "course") for each in ids}
    return {each: cast("Kind", kind if kind in KINDS else "course") for each, kind in kinds.items()}
