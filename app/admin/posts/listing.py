"""/admin/posts: the list with its saved views, and what is done to several posts at once."""

from dataclasses import replace

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.accounts import permissions as p
from app.admin.blueprint import action, page, say
from app.admin.listing import Filter, ListSpec, ListState, View, read_list_state
from app.admin.posts.states import count_posts, offer_undo
from app.admin.undo import say_with_undo, sign_undo
from app.blog.post_edits import ARCHIVED, DRAFT, PUBLISHED, SCHEDULED
from app.blog.post_states import delete_posts, set_post_status, set_post_topic
from app.catalog.services import list_categories
from app.errors import InvalidInput, NotFound
from app.paging import PAGE_SIZE
from app.reports.post_editor import list_offered_courses
from app.reports.post_lists import TO_CHECK, TRASH, count_post_views, list_post_rows

VIEWS = (
    View(key="", label="All"), View(key=PUBLISHED, label="Published"), View(key=SCHEDULED, label="Scheduled"),
    View(key=DRAFT, label="Drafts"), View(key=ARCHIVED, label="Archived"), View(key=TO_CHECK, label="To check"),
    View(key=TRASH, label="Trash"),
)  # fmt: skip
ACTS = {"publish": (PUBLISHED, "published"), "draft": (DRAFT, "made a draft")}


@page("/posts", needs=p.CONTENT_READ)
def posts() -> str:
    state = _read_state()
    counts = count_post_views()
    found = list_post_rows(
        view=state.view, q=state.q, topic=state.get("topic"), course=state.get("course"), sort=state.sort,
        is_descending=state.is_descending, page=state.page, counts=counts,
    )  # fmt: skip
    return render_template(
        "admin/posts/list.html", state=state, counts=counts, page=found, topics=list_categories(),
        bulk_url=replace(state, path=url_for("admin.change_posts")).url(page=state.page),
    )  # fmt: skip


@action("/posts/bulk", needs=p.CONTENT_WRITE)
def change_posts() -> ResponseReturnValue:
    ids, act = request.form.getlist("ids")[:PAGE_SIZE], request.form.get("act", "")
    back = redirect(
        replace(_read_state(), path=url_for("admin.posts")).url(page=request.args.get("page", 1, int)), 303
    )  # fmt: skip
    if not ids:
        say("Tick at least one post first.", "warning")
    elif act == "topic":
        _set_topic(ids, request.form.get("topic", ""))
    elif act == "delete":
        _delete(ids)
    elif act in ACTS:
        _set_status(ids, *ACTS[act])
    else:
        raise InvalidInput("Choose what to do with the posts.")
    return back


def _set_status(ids: list[str], status: str, words: str) -> None:
    changed = set_post_status(public_ids=ids, status=status).before
    if changed:
        offer_undo(f"{count_posts(len(changed))} {words}.", former=changed, status=status)
    else:
        say(f"Nothing to change: already {words}.")


def _set_topic(ids: list[str], slug: str) -> None:
    topic = next((each for each in list_categories() if each.slug == slug), None)
    if topic is None:
        raise NotFound("There is no such topic.")
    changed = set_post_topic(public_ids=ids, category_id=topic.category_id).before
    if changed:
        message = f"{count_posts(len(changed))} put under {topic.name}."
        offer_undo(message, former=changed, category_id=topic.category_id)
    else:
        say(f"Nothing to change: already under {topic.name}.")


def _delete(ids: list[str]) -> None:
    deleted = [public_id for public_id, _title in delete_posts(public_ids=ids)]
    if deleted:
        step = sign_undo({"deleted": deleted})
        say_with_undo(f"{count_posts(len(deleted))} moved to the trash.", url_for("admin.undo_post_change"), step=step)
    else:
        say("Nothing to change: already in the trash.")


def _read_state() -> ListState:
    topics = tuple((topic.slug, topic.name) for topic in list_categories())
    courses = tuple((course.slug, course.title) for course in list_offered_courses())
    return read_list_state(
        ListSpec(
            views=VIEWS,
            filters=(
                Filter(name="topic", label="Topic", options=topics or (("", ""),)),
                Filter(name="course", label="Course", options=courses or (("", ""),)),
            ),
            sorts={"updated": True, "title": False, "created": True},
            search_label="Search posts",
        )
    )
