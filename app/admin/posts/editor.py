"""/admin/posts/new and /admin/posts/<id>: the editor, its live preview and the working copy it keeps."""

import re
from typing import Any

from flask import jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from werkzeug.datastructures import MultiDict

from app.accounts import permissions as p
from app.admin.blueprint import action, current_staff, page, say
from app.admin.courses.conflict import compare_sides, digest_fields, find_last_change, list_kept_fields
from app.admin.courses.editor import CONFLICT, FIX, render_conflict
from app.admin.fields import shop_zone
from app.admin.posts.forms import BUTTONS, NewPostForm, PostForm, read_typed
from app.admin.posts.pictures import add_uploaded_picture
from app.admin.posts.states import describe_former, offer_undo
from app.blog.post_edits import EditedPost, PostChanged, create_post, get_edited_post, tell_state
from app.blog.preview_links import VALID_FOR, make_post_preview_token
from app.blog.revisions import list_revisions
from app.blog.working_copies import (
    WorkingCopy,
    discard_working_copy,
    find_working_copy,
    keep_working_copy,
    list_other_writers,
)
from app.catalog.services import ensure_categories
from app.config import current_settings
from app.errors import AppError
from app.formatting import datetime_short
from app.markdown import render_markdown
from app.reports.post_editor import (
    PostEdit,
    list_linked_courses,
    list_offered_courses,
    read_edit,
    save_edit,
)
from app.reports.post_warnings import list_post_warnings

LATEST_REVISIONS = 5
PREVIEWED = "text-"
HEADING_ID = re.compile(r'<h[2-4] id="')


@page("/posts/new", needs=p.CONTENT_WRITE)
def new_post() -> str:
    return render_template("admin/posts/new.html", form=NewPostForm())


@action("/posts/new", needs=p.CONTENT_WRITE)
def create_draft_post() -> ResponseReturnValue:
    form = NewPostForm()
    if form.validate():
        title, settings = " ".join((form.title.data or "").split()), current_settings()
        try:
            topic_id = ensure_categories([form.category])[form.category]
            author = current_staff().name or settings.site_name
            public_id = create_post(title=title, category_id=topic_id, author=author)
        except AppError as error:
            form.note_refusal(error, "title")
        else:
            say("Your draft is made. Nobody sees it until you publish it.")
            return redirect(url_for("admin.post_editor", public_id=public_id), 303)
    return render_template("admin/posts/new.html", form=form), FIX


@page("/posts/<public_id>", needs=p.CONTENT_READ)
def post_editor(public_id: str) -> str:
    post = get_edited_post(public_id=public_id)
    copy = find_working_copy(post_id=post.post_id, user_id=current_staff().id)
    if copy is not None:
        return show_editor(post, PostForm(formdata=MultiDict(copy.fields)), copy=copy)
    form, edit = PostForm(), read_edit(post)
    form.fill(edit)
    form.version.data, form.base.data = str(post.stored.version), digest_fields(edit)
    return show_editor(post, form)


@action("/posts/<public_id>", needs=p.CONTENT_WRITE)
def save_post(public_id: str) -> ResponseReturnValue:
    post = get_edited_post(public_id=public_id)
    form = PostForm()
    if step := request.form.get("courses_step"):
        form.step_courses(step, request.form.get("course", ""))
        return show_editor(post, form, is_dirty=True)
    then = request.form.get("then", "")
    if then in {"preview", "picture"}:
        is_added = then == "preview" or add_uploaded_picture(form)
        return show_editor(post, form, is_dirty=True), 200 if is_added else FIX
    form.status.data = BUTTONS.get(then, form.status.data)
    if then == "publish" and tell_state("published", form.published_at.data) != "published":
        # Now, whatever day was planned.
        form.published_at.data = None
    return _save(post, form)


@action("/posts/<public_id>/working-copy", needs=p.CONTENT_WRITE)
def autosave_post(public_id: str) -> ResponseReturnValue:
    version = request.form.get("version", 0, int)
    saved_at = keep_working_copy(
        public_id=public_id, user_id=current_staff().id, version=version, fields=read_typed(request.form)
    )
    return jsonify(kept=datetime_short(saved_at) if saved_at else None)


@action("/posts/<public_id>/working-copy/discard", needs=p.CONTENT_WRITE)
def discard_post_copy(public_id: str) -> ResponseReturnValue:
    discard_working_copy(public_id=public_id, user_id=current_staff().id)
    say("Your unsaved changes are gone. This is the saved post.")
    return redirect(url_for("admin.post_editor", public_id=public_id), 303)


@action("/posts/preview", needs=p.CONTENT_READ)
def preview_post_text() -> ResponseReturnValue:
    """The text of a form as its page will show it, for the editor's script."""
    return render_template("admin/posts/_preview.html", **preview_values(request.form.get("body", "")))


def show_editor(post: EditedPost, form: PostForm, *, is_dirty: bool = False, copy: WorkingCopy | None = None) -> str:
    """The editor's page. is_dirty: the form holds what is not saved; copy: what the server kept of it earlier."""
    settings = current_settings()
    own_token = make_post_preview_token(post.public_id, user_id=current_staff().id)
    shared_path = url_for("site.preview_post", token=make_post_preview_token(post.public_id))
    revisions = list_revisions(post.post_id, limit=LATEST_REVISIONS + 1)
    return render_template(
        "admin/posts/editor.html",
        post=post,
        form=form,
        errors=form.list_errors(),
        is_dirty=is_dirty or copy is not None,
        copy=copy,
        others=list_other_writers(post_id=post.post_id, user_id=current_staff().id),
        warnings=list_post_warnings([post.post_id]).get(post.post_id, []),
        linked=list_linked_courses(form.courses.data or ()),
        offered=list_offered_courses(),
        revisions=revisions[:LATEST_REVISIONS],
        has_more_revisions=len(revisions) > LATEST_REVISIONS,
        own_preview_path=url_for("site.preview_post", token=own_token),
        preview_url=settings.public_url + shared_path,
        preview_days=VALID_FOR.days,
        zone=shop_zone().key,
        host=settings.public_host,
        **preview_values(form.body.data or ""),
    )


def preview_values(body: str) -> dict[str, Any]:
    """What the template of the preview takes."""
    rendered = render_markdown(body)
    # The editor has names of its own on the same page.
    html = HEADING_ID.sub(rf"\g<0>{PREVIEWED}", rendered.html)
    # Sanitized by app/markdown.py, as on the post's own page.
    return {"rendered": rendered, "body_html": Markup(html), "previewed": PREVIEWED}  # noqa: S704


def _save(post: EditedPost, form: PostForm) -> ResponseReturnValue:
    undecided = _take_kept_fields(form, read_edit(post))
    if not form.validate():
        return show_editor(post, form, is_dirty=True), FIX
    if undecided:
        return _show_conflict(post, form, undecided), CONFLICT
    edit = form.to_edit(post.stored.file.published_at)
    try:
        changed = save_edit(post, version=int(form.version.data or 0), edit=edit, user_id=current_staff().id)
    except (PostChanged, ValueError):
        return _show_conflict(get_edited_post(public_id=post.public_id), form, set()), CONFLICT
    except AppError as error:
        form.note_refusal(error, "topic" if error.field == "category" else "title")
        return show_editor(post, form, is_dirty=True), FIX
    _tell(post, edit, changed)
    return redirect(url_for("admin.post_editor", public_id=post.public_id), 303)


def _take_kept_fields(form: PostForm, saved: PostEdit) -> set[str]:
    """After a conflict: put the other side where it was chosen; gives the fields that nobody chose for."""
    kept, undecided = list_kept_fields(request.form)
    for name in kept & set(saved.__dataclass_fields__):
        if name == "category":
            form.topic.data, form.new_topic.data = saved.category, ""
        else:
            form[name].data = getattr(saved, name)
    return undecided


def _show_conflict(post: EditedPost, form: PostForm, undecided: set[str]) -> str:
    edit = form.to_edit(post.stored.file.published_at)
    return render_conflict(
        sides=compare_sides(edit, read_edit(post), form.base.data or ""),
        undecided=undecided,
        last_change=find_last_change(post.public_id),
        version=post.stored.version,
        title=post.stored.file.title,
        url=url_for("admin.post_editor", public_id=post.public_id),
    )


def _tell(post: EditedPost, edit: PostEdit, changed: list[str]) -> None:
    former = post.stored.file
    words = {
        "published": f"“{edit.title}” is published.",
        "scheduled": f"“{edit.title}” is scheduled: it appears by itself.",
        "draft": f"“{edit.title}” is a draft again. Visitors no longer see it.",
        "archived": f"“{edit.title}” is archived. Visitors no longer see it.",
    }
    if not changed:
        say("Nothing had changed.")
    elif edit.status != post.state:
        offer_undo(words[edit.status], former=describe_former(post), status=edit.status, back=post.public_id)
    else:
        say(f"“{edit.title}” is saved.")
    if "slug" in changed and post.state == "published":
        say(f"The old address /blog/{former.slug} leads to the new one.")
