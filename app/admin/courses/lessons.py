"""Lessons: added, written, moved, deleted and brought back."""

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import action, page, say
from app.admin.courses.conflict import Side, compare_sides, digest_fields, find_last_change, list_kept_fields
from app.admin.courses.curriculum import back_to_curriculum, read_step
from app.admin.courses.editor import render_conflict
from app.admin.courses.forms import LessonForm, NewLessonForm
from app.admin.undo import say_with_undo
from app.catalog import curriculum, curriculum_order
from app.catalog.course_edits import EditedCourse, get_edited_course
from app.catalog.curriculum import EditedLesson, LessonChanged, get_edited_lesson, list_curriculum
from app.errors import AppError

FIX, CONFLICT = 422, 409


@page("/courses/<public_id>/sections/<section_id>/lessons/new", needs=p.CONTENT_WRITE)
def new_lesson(public_id: str, section_id: str) -> str:
    section = curriculum.get_section(course_public_id=public_id, public_id=section_id)
    return render_template("admin/courses/new_lesson.html", public_id=public_id, form=NewLessonForm(), section=section)


@action("/courses/<public_id>/sections/<section_id>/lessons/new", needs=p.CONTENT_WRITE)
def add_lesson(public_id: str, section_id: str) -> ResponseReturnValue:
    section = curriculum.get_section(course_public_id=public_id, public_id=section_id)
    form = NewLessonForm()
    if form.validate():
        title = (form.title.data or "").strip()
        try:
            lesson_id = curriculum.add_lesson(course_public_id=public_id, section_public_id=section_id, title=title)
        except AppError as error:
            form.note_refusal(error, "title")
        else:
            return redirect(url_for("admin.lesson_editor", public_id=public_id, lesson_id=lesson_id), 303)
    return render_template("admin/courses/new_lesson.html", public_id=public_id, form=form, section=section), FIX


@page("/courses/<public_id>/lessons/<lesson_id>", needs=p.CONTENT_READ)
def lesson_editor(public_id: str, lesson_id: str) -> str:
    course = get_edited_course(public_id=public_id)
    lesson = get_edited_lesson(course_public_id=public_id, public_id=lesson_id)
    form = _make_form(course)
    form.fill(lesson.edit)
    form.version.data, form.base.data = str(lesson.version), digest_fields(lesson.edit)
    return _show(course, lesson, form)


@action("/courses/<public_id>/lessons/<lesson_id>", needs=p.CONTENT_WRITE)
def save_lesson(public_id: str, lesson_id: str) -> ResponseReturnValue:
    course = get_edited_course(public_id=public_id)
    lesson = get_edited_lesson(course_public_id=public_id, public_id=lesson_id)
    form = _make_form(course)
    kept, undecided = list_kept_fields(request.form)
    for name in kept & set(lesson.edit.__dataclass_fields__):
        form[name].data = getattr(lesson.edit, name)
    if not form.validate():
        return _show(course, lesson, form, is_dirty=True), FIX
    if undecided:
        return _show_conflict(course, lesson, form, undecided), CONFLICT
    try:
        version = int(form.version.data or 0)
        curriculum.save_lesson(
            course_public_id=public_id, public_id=lesson_id, version=version, edit=form.to_edit()
        )  # fmt: skip
    except (LessonChanged, ValueError):
        present = get_edited_lesson(course_public_id=public_id, public_id=lesson_id)
        return _show_conflict(course, present, form, set()), CONFLICT
    say(f"“{form.title.data}” is saved.")
    return redirect(url_for("admin.lesson_editor", public_id=public_id, lesson_id=lesson_id), 303)


@action("/courses/<public_id>/lessons/<lesson_id>/move", needs=p.CONTENT_WRITE)
def move_lesson(public_id: str, lesson_id: str) -> ResponseReturnValue:
    curriculum_order.move_lesson(course_public_id=public_id, public_id=lesson_id, step=read_step())
    return back_to_curriculum(public_id)


@action("/courses/<public_id>/lessons/<lesson_id>/delete", needs=p.CONTENT_WRITE)
def delete_lesson(public_id: str, lesson_id: str) -> ResponseReturnValue:
    title = curriculum_order.delete_lesson(course_public_id=public_id, public_id=lesson_id)
    undo = url_for("admin.restore_lesson", public_id=public_id, lesson_id=lesson_id)
    say_with_undo(f"“{title}” is deleted.", undo)
    return back_to_curriculum(public_id)


@action("/courses/<public_id>/lessons/<lesson_id>/restore", needs=p.CONTENT_WRITE)
def restore_lesson(public_id: str, lesson_id: str) -> ResponseReturnValue:
    title = curriculum_order.restore_lesson(course_public_id=public_id, public_id=lesson_id)
    say(f"“{title}” is back in its place.")
    return back_to_curriculum(public_id)


def _make_form(course: EditedCourse) -> LessonForm:
    form = LessonForm()
    sections = list_curriculum(course_id=course.course_id)
    form.section.offer((section.public_id, section.title) for section in sections)
    return form


def _show(course: EditedCourse, lesson: EditedLesson, form: LessonForm, *, is_dirty: bool = False) -> str:
    return render_template(
        "admin/courses/lesson.html",
        course=course,
        lesson=lesson,
        form=form,
        errors=form.list_errors(),
        is_dirty=is_dirty,
    )


def _show_conflict(course: EditedCourse, lesson: EditedLesson, form: LessonForm, undecided: set[str]) -> str:
    names = {section.public_id: section.title for section in list_curriculum(course_id=course.course_id)}
    sides = [_name_section(side, names) for side in compare_sides(form.to_edit(), lesson.edit, form.base.data or "")]
    return render_conflict(
        sides=sides,
        undecided=undecided,
        last_change=find_last_change(lesson.public_id),
        version=lesson.version,
        title=lesson.edit.title,
        url=url_for("admin.lesson_editor", public_id=course.public_id, lesson_id=lesson.public_id),
    )


def _name_section(side: Side, names: dict[str, str]) -> Side:
    if side.name != "section":
        return side
    mine, theirs = (names.get(value, value) for value in (side.mine, side.theirs))
    return Side(name=side.name, label=side.label, mine=mine, theirs=theirs, keep=side.keep)
