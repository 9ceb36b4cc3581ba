"""/admin/codes: promotion codes, single and in batches, with their use and the money that came in with them."""

from collections.abc import Callable
from typing import Any

from flask import Response, redirect, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import action, page, say
from app.admin.code_forms import CodeForm, LimitsForm
from app.admin.listing import Filter, ListSpec, ListState, View, read_list_state
from app.catalog.models import PromotionCode
from app.catalog.offers import list_products_for_sale
from app.catalog.promotion_codes import (
    change_code_limits,
    create_batch,
    create_code,
    disable_code,
    enable_code,
)
from app.errors import InvalidInput
from app.reports.code_list import count_codes, get_code_report, list_batches, list_code_rows, write_codes_csv

FIX = 422
VIEWS = (
    View(key="", label="All"),
    View(key="active", label="Active"),
    View(key="scheduled", label="Scheduled"),
    View(key="used_up", label="Used up"),
    View(key="ended", label="Ended"),
    View(key="disabled", label="Disabled"),
)


@page("/codes", needs=p.PRICES_READ)
def codes() -> str:
    state = _read_state()
    rows = list_code_rows(**_chosen(state), sort=state.sort, is_descending=state.is_descending, page=state.page)
    counts = count_codes(batch=state.get("batch"), q=state.q)
    return render_template("admin/codes/list.html", state=state, codes=rows, counts=counts)


@page("/codes/export.csv", needs=p.PRICES_READ)
def export_codes() -> Response:
    lines = stream_with_context(write_codes_csv(**_chosen(_read_state())))
    headers = {"Content-Disposition": 'attachment; filename="promotion-codes.csv"'}
    return Response(lines, mimetype="text/csv", headers=headers)


@page("/codes/new", needs=p.PRICES_WRITE)
def new_code() -> str:
    return render_template("admin/codes/new.html", form=_make_form())


@action("/codes/new", needs=p.PRICES_WRITE)
def add_code() -> ResponseReturnValue:
    form = _make_form()
    if not form.validate():
        return render_template("admin/codes/new.html", form=form, has_errors=True), FIX
    try:
        target = _make_codes(form)
    except InvalidInput as error:
        form.blame(error)
        return render_template("admin/codes/new.html", form=form, has_errors=True), FIX
    return redirect(target, 303)


@page("/codes/<public_id>", needs=p.PRICES_READ)
def code(public_id: str) -> str:
    report = get_code_report(public_id)
    return render_template("admin/codes/code.html", report=report, form=LimitsForm(obj=report.row.promotion_code))


@action("/codes/<public_id>", needs=p.PRICES_WRITE)
def save_code_limits(public_id: str) -> ResponseReturnValue:
    report, form = get_code_report(public_id), LimitsForm()
    if form.validate():
        try:
            change_code_limits(
                public_id=public_id, max_redemptions=form.max_redemptions.data,
                per_customer_limit=form.per_customer_limit.data, starts_at=form.starts_at.data,
                ends_at=form.ends_at.data,
            )  # fmt: skip
        except InvalidInput as error:
            form.blame(error)
        else:
            say("Saved. The new limits count from now on; whoever is paying keeps what the page showed.")
            return redirect(url_for("admin.code", public_id=public_id), 303)
    return render_template("admin/codes/code.html", report=report, form=form, has_errors=True), FIX


@action("/codes/<public_id>/disable", needs=p.PRICES_WRITE)
def disable_promotion_code(public_id: str) -> ResponseReturnValue:
    return _switch(public_id, disable_code, "ended. Nobody new can use it; whoever is paying with it keeps it.")


@action("/codes/<public_id>/enable", needs=p.PRICES_WRITE)
def enable_promotion_code(public_id: str) -> ResponseReturnValue:
    return _switch(public_id, enable_code, "counts again, within its dates and limits.")


def _switch(public_id: str, switch: Callable[[str], None], words: str) -> ResponseReturnValue:
    found: PromotionCode = get_code_report(public_id).row.promotion_code
    switch(found.code)
    say(f"{found.code} {words}")
    return redirect(url_for("admin.code", public_id=public_id), 303)


def _make_codes(form: CodeForm) -> str:
    """The page to go to once the codes are there."""
    if form.kind.data == "batch":
        made = create_batch(form.count.data or 0, form.prefix.data or "", **form.terms())
        say(f"{len(made)} codes made. Export them as CSV to hand them out.")
        return url_for("admin.codes", batch=made[0].batch)
    created = create_code(form.code.data or "", **form.terms())
    say(f"{created.code} is ready.")
    return url_for("admin.code", public_id=created.public_id)


def _make_form() -> CodeForm:
    form = CodeForm()
    form.offer_products(list_products_for_sale())
    if request.method == "GET":
        form.code.data = request.args.get("code", "")[:40]
    return form


def _read_state() -> ListState:
    batches = [(batch, batch) for batch in list_batches()]
    return read_list_state(
        ListSpec(
            views=VIEWS,
            filters=(Filter(name="batch", label="Batch", options=batches),) if batches else (),
            sorts={"created": True, "code": False, "used": True},
            search_label="Start of a code",
        )
    )


def _chosen(state: ListState) -> dict[str, Any]:
    return {"view": state.view, "batch": state.get("batch"), "q": state.q}
