"""Several people and programs at one post at once: one effect, and a clear word for the other."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.audit import Actor, acting_as
from app.blog import post_edits
from app.blog.models import Post, PostRevision, PostWorkingCopy
from app.blog.post_edits import create_post, get_edited_post, save_post_edit
from app.blog.post_rows import ResolvedPost, lock_post
from app.blog.post_states import delete_posts, restore_posts
from app.blog.working_copies import keep_working_copy
from app.db import db
from tests.admin.posts import make_post, read_post
from tests.factories import make_user
from tests.races import kinds, run_at_once


def prepare_saves(public_id: str, user_id: int, *bodies: str) -> list[Callable[[], Any]]:
    """Saves of different texts, all by forms opened on the present version."""
    stored = get_edited_post(public_id=public_id).stored
    posts = [
        ResolvedPost(
            file=replace(stored.file, body=body), category_id=stored.category_id, course_ids=stored.course_ids
        )
        for body in bodies
    ]  # fmt: skip
    db.session.remove()
    return [
        partial(save_post_edit, public_id=public_id, version=stored.version, post=post, user_id=user_id)
        for post in posts
    ]


def test_of_two_who_save_a_post_at_once_one_is_told(app: Flask) -> None:
    public_id, user_id = make_post(), make_user().id

    outcomes = run_at_once(app, *prepare_saves(public_id, user_id, "A", "B"))

    assert kinds(outcomes) == {"list": 1, "PostChanged": 1}
    assert (read_post(public_id).version, db.session.scalar(select(func.count(PostRevision.id)))) == (2, 2)


def test_control_without_the_version_one_of_two_loses_their_words(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    public_id, user_id = make_post(), make_user().id
    saves = prepare_saves(public_id, user_id, "A", "B")

    def forget_version(session: Any, wanted: str) -> Post:
        row = lock_post(session, wanted)
        row.version = 1
        return row

    monkeypatch.setattr(post_edits, "lock_post", forget_version)

    assert kinds(run_at_once(app, *saves)) == {"list": 2}


def test_a_copy_that_is_kept_while_the_same_person_saves_leaves_nothing_behind(app: Flask) -> None:
    public_id, user = make_post(), make_user()
    saves = prepare_saves(public_id, user.id, "A")

    def save_as_user() -> Any:
        with acting_as(Actor(kind="user", id=user.public_id)):
            return saves[0]()

    keep = partial(keep_working_copy, public_id=public_id, user_id=user.id, version=1, fields={"body": ["A"]})
    outcomes = run_at_once(app, save_as_user, keep)

    assert outcomes[0] == ["body", "revised_at"]
    assert db.session.scalars(select(PostWorkingCopy)).all() == []


def test_of_two_drafts_with_one_address_one_is_made(app: Flask) -> None:
    category_id = read_post(make_post()).category_id
    db.session.remove()

    outcomes = run_at_once(app, *[partial(create_post, title="New one", category_id=category_id, author="")] * 2)

    assert kinds(outcomes) == {"str": 1, "PostSlugTaken": 1}


def test_two_who_delete_or_restore_a_post_do_it_once(app: Flask) -> None:
    public_id = make_post()

    deleted = run_at_once(app, *[partial(delete_posts, public_ids=[public_id])] * 2)
    restored = run_at_once(app, *[partial(restore_posts, public_ids=[public_id])] * 2)

    assert sorted(deleted) == [[], [(public_id, "Small post")]]
    assert restored == [["Small post"]] * 2
    assert read_post(public_id).version == 3
