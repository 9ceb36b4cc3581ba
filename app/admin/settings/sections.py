"""The list of sections, and the page of each with its form."""

from typing import Any

from flask import redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.accounts.staff import list_staff
from app.admin.blueprint import action, page, say
from app.admin.settings.forms import SectionForm, make_form
from app.admin.settings.words import TITLES, describe, list_fixed
from app.admin.undo import say_with_undo
from app.checkout.consents import CONSENTS, find_consent
from app.config import current_settings
from app.errors import InvalidInput, NotFound
from app.setting_rules import SECTIONS
from app.settings.services import SectionView, SettingsChanged, change_section, get_section, reset_section, undo_section

FIX, CONFLICT = 422, 409


@page("/settings", needs=p.SHOP_WRITE)
def settings() -> str:
    views = [get_section(section) for section in SECTIONS]
    return render_template(
        "admin/settings/list.html",
        sections=[(view, TITLES[view.section], describe(view)) for view in views],
        fixed=list_fixed(),
        staff_count=len(list_staff()),
    )


@page("/settings/<section>", needs=p.SHOP_WRITE)
def settings_section(section: str) -> str:
    view = get_section(section)
    form = make_form(view)
    form.show(view)
    return show_section(view, form)


@action("/settings/<section>", needs=p.SHOP_WRITE)
def save_settings_section(section: str) -> ResponseReturnValue:
    view = get_section(section)
    form = make_form(view)
    if not form.judge():
        return show_section(view, form, has_errors=True), FIX
    try:
        is_new = change_section(section=section, values=form.values(), version=form.seen_version)
    except InvalidInput as error:
        form[error.field or "version"].errors = [error.sentence]
        return show_section(view, form, has_errors=True), FIX
    except SettingsChanged:
        return _show_conflict(section, form)
    _tell(section, is_new=is_new)
    return redirect(url_for("admin.settings_section", section=section), 303)


@action("/settings/<section>/reset", needs=p.SHOP_WRITE)
def reset_settings_section(section: str) -> ResponseReturnValue:
    try:
        _tell(section, is_new=reset_section(section=section, version=_read_version()))
    except SettingsChanged as error:
        say(error.sentence, "error")
    return redirect(url_for("admin.settings_section", section=section), 303)


@action("/settings/<section>/undo", needs=p.SHOP_WRITE)
def undo_settings_section(section: str) -> ResponseReturnValue:
    try:
        undo_section(section=section, version=_read_version())
    except SettingsChanged as error:
        say(error.sentence, "error")
    else:
        _tell(section, is_new=True)
    return redirect(url_for("admin.settings_section", section=section), 303)


def show_section(view: SectionView, form: SectionForm, **values: Any) -> str:
    """A section's page."""
    if view.section not in TITLES:
        raise NotFound
    in_force = current_settings()
    return render_template(
        "admin/settings/section.html",
        view=view,
        form=form,
        title=TITLES[view.section],
        lines=describe(view),
        consents={kind: find_consent(kind, in_force) for kind in CONSENTS},
        standard_consents=CONSENTS,
        now=in_force,
        **values,
    )


def _show_conflict(section: str, form: SectionForm) -> ResponseReturnValue:
    """What somebody else saved stands beside what was typed; saving again replaces theirs, knowingly."""
    view = get_section(section)
    form.version.data = str(view.version)
    return show_section(view, form, has_errors=True, is_conflict=True), CONFLICT


def _read_version() -> int:
    return SectionForm().seen_version


def _tell(section: str, *, is_new: bool) -> None:
    if not is_new:
        say("Nothing was different, so nothing changed.")
        return
    view = get_section(section)
    say_with_undo(
        f"{TITLES[section].name} saved. It counts from now on.",
        url_for("admin.undo_settings_section", section=section),
        version=str(view.version),
    )
