"""/admin/bundles: products of several courses. What they cost is changed on their page of prices."""

from typing import Any

from flask import current_app, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import action, page, say
from app.admin.bundle_forms import BundleForm, NewBundleForm
from app.admin.listing import ListSpec, View, read_list_state
from app.catalog.bundle_edits import (
    BundleChanged,
    EditedBundle,
    create_bundle,
    get_edited_bundle,
    list_bundle_choices,
    save_bundle,
)
from app.catalog.bundle_lists import count_bundle_views, list_bundle_rows
from app.catalog.bundles import find_bundle
from app.catalog.price_facts import list_active_prices
from app.errors import InvalidInput

FIX, CONFLICT = 422, 409
VIEWS = (View(key="", label="All"), View(key="active", label="Active"), View(key="archived", label="Archived"))


@page("/bundles", needs=p.PRICES_READ)
def bundles() -> str:
    state = read_list_state(ListSpec(views=VIEWS, search_label="Search bundles"))
    rows = list_bundle_rows(view=state.view, q=state.q, page=state.page)
    return render_template("admin/bundles/list.html", state=state, bundles=rows, counts=count_bundle_views())


@page("/bundles/new", needs=p.PRICES_WRITE)
def new_bundle() -> str:
    return _render_new(NewBundleForm())


@action("/bundles/new", needs=p.PRICES_WRITE)
def add_bundle() -> ResponseReturnValue:
    form = NewBundleForm()
    form.offer_courses(list_bundle_choices())
    if form.validate():
        try:
            made = create_bundle(form.to_edit(), slug=(form.slug.data or "").strip())
        except InvalidInput as error:
            form.blame(error)
        else:
            say(f"“{made.title}” is made. Now set its price: nobody can buy it without one.")
            return redirect(url_for("admin.change_price", product_id=made.public_id), 303)
    return _render_new(form), FIX


@page("/bundles/<public_id>", needs=p.PRICES_READ)
def bundle(public_id: str) -> str:
    found = get_edited_bundle(public_id=public_id)
    form = BundleForm()
    form.fill(found)
    return _render(found, form)


@action("/bundles/<public_id>", needs=p.PRICES_WRITE)
def save_bundle_form(public_id: str) -> ResponseReturnValue:
    found = get_edited_bundle(public_id=public_id)
    form = BundleForm()
    form.offer_courses(list_bundle_choices())
    if not form.validate():
        return _render(found, form), FIX
    try:
        changed = save_bundle(public_id=public_id, version=form.version.data or 0, edit=form.to_edit())
    except InvalidInput as error:
        form.blame(error)
        return _render(found, form), FIX
    except BundleChanged as error:
        form.reopen(found)
        return _render(found, form, news=error.sentence), CONFLICT
    say(f"“{form.title.data}” is saved." if changed else "Nothing had changed.")
    return redirect(url_for("admin.bundle", public_id=public_id), 303)


def _render_new(form: NewBundleForm) -> str:
    form.offer_courses(list_bundle_choices())
    return render_template("admin/bundles/new.html", form=form, host=_host(), has_errors=bool(form.errors))


def _render(found: EditedBundle, form: BundleForm, *, news: str = "") -> str:
    form.offer_courses(list_bundle_choices())
    values: dict[str, Any] = {"bundle": found, "form": form, "news": news, "host": _host()}
    return render_template(
        "admin/bundles/bundle.html", has_errors=bool(form.errors) or bool(news),
        prices=list_active_prices(product_id=found.product_id), public=find_bundle(slug=found.slug), **values,
    )  # fmt: skip


def _host() -> str:
    host: str = current_app.config["SETTINGS"].public_host
    return host
