"""Sections, and the order of everything in a course. Each change counts at once."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import action, page, say
from app.admin.courses.forms import SectionForm
from app.admin.undo import say_with_undo
from app.catalog import curriculum, curriculum_order
from app.catalog.curriculum_order import DOWN, UP, CurriculumChanged
from app.errors import InvalidInput

FIX = 422


@page("/courses/<public_id>/sections/new", needs=p.CONTENT_WRITE)
def new_section(public_id: str) -> str:
    return _show_section(public_id, SectionForm())


@action("/courses/<public_id>/sections/new", needs=p.CONTENT_WRITE)
def add_section(public_id: str) -> ResponseReturnValue:
    form = SectionForm()
    if not form.validate():
        return _show_section(public_id, form), FIX
    title, summary = read_section(form)
    curriculum.add_section(course_public_id=public_id, title=title, summary=summary)
    say(f"“{title}” is added.")
    return back_to_curriculum(public_id)


@page("/courses/<public_id>/sections/<section_id>", needs=p.CONTENT_WRITE)
def section_editor(public_id: str, section_id: str) -> str:
    section = curriculum.get_section(course_public_id=public_id, public_id=section_id)
    return _show_section(public_id, SectionForm(obj=section), section)


@action("/courses/<public_id>/sections/<section_id>", needs=p.CONTENT_WRITE)
def save_section(public_id: str, section_id: str) -> ResponseReturnValue:
    section = curriculum.get_section(course_public_id=public_id, public_id=section_id)
    form = SectionForm()
    if not form.validate():
        return _show_section(public_id, form, section), FIX
    title, summary = read_section(form)
    curriculum.save_section(course_public_id=public_id, public_id=section_id, title=title, summary=summary)
    say(f"“{title}” is saved.")
    return back_to_curriculum(public_id)


@action("/courses/<public_id>/sections/<section_id>/move", needs=p.CONTENT_WRITE)
def move_section(public_id: str, section_id: str) -> ResponseReturnValue:
    curriculum_order.move_section(course_public_id=public_id, public_id=section_id, step=read_step())
    return back_to_curriculum(public_id)


@action("/courses/<public_id>/sections/<section_id>/delete", needs=p.CONTENT_WRITE)
def delete_section(public_id: str, section_id: str) -> ResponseReturnValue:
    title = curriculum_order.delete_section(course_public_id=public_id, public_id=section_id)
    undo = url_for("admin.restore_section", public_id=public_id, section_id=section_id)
    say_with_undo(f"“{title}” is deleted with its lessons.", undo)
    return back_to_curriculum(public_id)


@action("/courses/<public_id>/sections/<section_id>/restore", needs=p.CONTENT_WRITE)
def restore_section(public_id: str, section_id: str) -> ResponseReturnValue:
    title = curriculum_order.restore_section(course_public_id=public_id, public_id=section_id)
    say(f"“{title}” is back, with its lessons.")
    return back_to_curriculum(public_id)


@action("/courses/<public_id>/curriculum", needs=p.CONTENT_WRITE)
def arrange_curriculum(public_id: str) -> ResponseReturnValue:
    """order: "sec_1:les_1,les_2;sec_2:" as the page's script sends it after a drag."""
    wanted = []
    for part in request.form.get("order", "").split(";"):
        section, _, lessons = part.partition(":")
        wanted.append((section, [lesson for lesson in lessons.split(",") if lesson]))
    try:
        curriculum_order.arrange_curriculum(course_public_id=public_id, wanted=wanted)
    except CurriculumChanged as error:
        say(error.sentence, "warning")
    return back_to_curriculum(public_id)


def back_to_curriculum(public_id: str) -> ResponseReturnValue:
    """The editor, at its curriculum."""
    return redirect(url_for("admin.course_editor", public_id=public_id, _anchor="curriculum"), 303)


def read_step() -> str:
    """Up or down, as the button says. Raises InvalidInput."""
    step = request.form.get("step", "")
    if step not in {UP, DOWN}:
        raise InvalidInput("Move it up or down.")
    return step


def read_section(form: SectionForm) -> tuple[str, str]:
    """Title and summary of a valid form."""
    return (form.title.data or "").strip(), (form.summary.data or "").replace("\r\n", "\n").strip()


def _show_section(public_id: str, form: SectionForm, section: curriculum.SectionRow | None = None) -> str:
    return render_template("admin/courses/section.html", public_id=public_id, form=form, section=section)
