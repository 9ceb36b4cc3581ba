"""/admin/courses/new and /admin/courses/<id>: the editor's main form."""

from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import action, page, say
from app.admin.courses.conflict import compare_sides, digest_fields, find_last_change, list_kept_fields
from app.admin.courses.forms import CourseForm, TopicForm
from app.admin.courses.listing import offer_status_undo
from app.admin.fields import shop_zone
from app.catalog.course_edits import CourseChanged, EditedCourse, get_edited_course, save_course_edit
from app.catalog.curriculum import list_curriculum, list_deleted_parts
from app.catalog.preview_links import VALID_FOR, make_preview_token
from app.catalog.price_facts import list_active_prices
from app.catalog.services import create_course, ensure_categories
from app.config import current_settings
from app.errors import AppError
from app.reports.mirror_pages import get_product_mirror

FIX, CONFLICT = 422, 409


@page("/courses/new", needs=p.CONTENT_WRITE)
def new_course() -> str:
    return render_template("admin/courses/new.html", form=TopicForm())


@action("/courses/new", needs=p.CONTENT_WRITE)
def create_draft() -> ResponseReturnValue:
    form = TopicForm()
    if form.validate():
        try:
            topic_id = ensure_categories([form.category])[form.category]
            course = create_course(title=(form.title.data or "").strip(), category_id=topic_id)
        except AppError as error:
            form.note_refusal(error, "title")
        else:
            say("Your draft is made. Nobody sees it until you publish it.")
            return redirect(url_for("admin.course_editor", public_id=course.public_id), 303)
    return render_template("admin/courses/new.html", form=form), FIX


@page("/courses/<public_id>", needs=p.CONTENT_READ)
def course_editor(public_id: str) -> str:
    course = get_edited_course(public_id=public_id)
    form = CourseForm()
    form.fill(course.edit)
    form.version.data, form.base.data = str(course.version), digest_fields(course.edit)
    return show_editor(course, form)


@action("/courses/<public_id>", needs=p.CONTENT_WRITE)
def save_course(public_id: str) -> ResponseReturnValue:
    course = get_edited_course(public_id=public_id)
    form = CourseForm()
    if step := request.form.get("faq_step"):
        form.step_faq(step)
        return show_editor(course, form, is_dirty=True)
    undecided = _take_kept_fields(form, course)
    if request.form.get("then") == "publish":
        form.status.data = "published"
    if not form.validate():
        return show_editor(course, form, is_dirty=True), FIX
    if undecided:
        return _show_conflict(course, form, undecided), CONFLICT
    try:
        version = int(form.version.data or 0)
        changed = save_course_edit(public_id=public_id, version=version, edit=form.to_edit())
    except (CourseChanged, ValueError):
        return _show_conflict(get_edited_course(public_id=public_id), form, set()), CONFLICT
    except AppError as error:
        form.note_refusal(error, "topic" if error.field == "category" else "title")
        return show_editor(course, form, is_dirty=True), FIX
    _tell(course, form, changed)
    return redirect(url_for("admin.course_editor", public_id=public_id), 303)


def show_editor(course: EditedCourse, form: CourseForm, *, is_dirty: bool = False) -> str:
    """The editor's page. is_dirty: the form holds what is not saved."""
    settings = current_settings()
    preview_path = url_for("site.preview_course", token=make_preview_token(course.public_id))
    return render_template(
        "admin/courses/editor.html",
        course=course,
        form=form,
        errors=form.list_errors(),
        is_dirty=is_dirty,
        sections=list_curriculum(course_id=course.course_id),
        deleted=list_deleted_parts(course_id=course.course_id),
        prices=list_active_prices(product_id=course.product_id),
        mirror=get_product_mirror(course.product_id),
        preview_url=settings.public_url + preview_path,
        preview_days=VALID_FOR.days,
        zone=shop_zone().key,
        host=settings.public_host,
    )


def _take_kept_fields(form: CourseForm, course: EditedCourse) -> set[str]:
    """After a conflict: put the other side where it was chosen; gives the fields that nobody chose for."""
    kept, undecided = list_kept_fields(request.form)
    for name in kept & set(course.edit.__dataclass_fields__):
        if name == "category":
            form.topic.data, form.new_topic.data = course.edit.category, ""
        elif name == "faq":
            form.set_faq([{"question": question, "answer": answer} for question, answer in course.edit.faq])
        else:
            form[name].data = getattr(course.edit, name)
    return undecided


def _show_conflict(course: EditedCourse, form: CourseForm, undecided: set[str]) -> str:
    sides = compare_sides(form.to_edit(), course.edit, form.base.data or "")
    return render_conflict(
        sides=sides,
        undecided=undecided,
        last_change=find_last_change(course.public_id),
        version=course.version,
        title=course.edit.title,
        url=url_for("admin.course_editor", public_id=course.public_id),
    )


def render_conflict(**values: Any) -> str:
    """Both sides of what two people saved, as a form that sends the whole of this one again with what was chosen."""
    own = {"csrf_token", "version"}
    sent = [
        (name, value)
        for name in request.form
        if name not in own and not name.startswith(("keep-", "asked-"))
        for value in request.form.getlist(name)
    ]
    return render_template("admin/courses/conflict.html", sent=sent, chosen=request.form, **values)


def _tell(course: EditedCourse, form: CourseForm, changed: list[str]) -> None:
    title, status = form.title.data, form.status.data
    if not changed:
        say("Nothing had changed.")
    elif "status" in changed and status == "published":
        offer_status_undo(
            f"“{title}” is published.", public_id=course.public_id, before=course.edit.status, status=status
        )
    else:
        say(f"“{title}” is saved.")
    if "slug" in changed and course.published_at is not None:
        say(f"The old address /courses/{course.edit.slug} leads to the new one.")
