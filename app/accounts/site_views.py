"""Staff see the site as a learner: begun with a reason, over after half an hour, noted at both ends. Only the rows.

What such a view lets through is seeing.py's matter. It changes nothing of the learner's: no session, no progress.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from app import clock
from app.accounts.models import SiteView, User
from app.accounts.permissions import PEOPLE_WRITE, list_permissions
from app.audit import Actor, acting_as, record_audit
from app.db import db, make_public_id, retry_conflicts, transaction
from app.errors import AppError, NotFound

VIEW_MINUTES = 30
VIEW_LIFETIME = timedelta(minutes=VIEW_MINUTES)
LONGEST_REASON = 200
SWEPT_AT_ONCE = 200


class CannotSeeAs(AppError):
    """The site cannot be seen as this person; the sentence says why."""

    code = "cannot_see_as"
    status = 409
    title = "You can’t see the site as them"


@dataclass(frozen=True, kw_only=True, slots=True)
class SiteViewing:
    """A view that lasts: as whom, and until when (UTC) at the latest."""

    public_id: str
    learner: User
    ends_at: datetime


@retry_conflicts
def start_site_view(*, staff_id: int, user_session_id: int, learner_public_id: str, reason: str) -> str:
    """Begin a view in one sign-in of a member of staff, in place of another of theirs; gives its public id.

    Raises NotFound, CannotSeeAs: oneself, a closed account, somebody who may do what the asker may not.
    """
    moment = clock.now()
    with transaction() as session:
        staff = session.scalars(
            select(User).where(User.id == staff_id).with_for_update().execution_options(populate_existing=True)
        ).one()
        learner = session.scalar(select(User).where(User.public_id == learner_public_id))
        if learner is None:
            raise NotFound
        _check(staff, learner)
        _end(session, [SiteView.staff_id == staff_id], how="another began")
        view = SiteView(
            public_id=make_public_id("view"), staff_id=staff_id, user_session_id=user_session_id,
            learner_id=learner.id, reason=reason.strip()[:LONGEST_REASON], started_at=moment,
            ends_at=moment + VIEW_LIFETIME,
        )  # fmt: skip
        session.add(view)
        record_audit(
            action="site_view.started", subject_type="user", subject_id=learner.public_id,
            after={"view": view.public_id, "until": view.ends_at.isoformat()}, reason=view.reason,
        )  # fmt: skip
        return view.public_id


@retry_conflicts
def end_site_view(*, public_id: str, how: str = "by its button") -> str:
    """End a view; gives the learner's public id, whether it lasted still or not. Raises NotFound."""
    with transaction() as session:
        _end(session, [SiteView.public_id == public_id], how=how)
        learner_id = session.scalar(
            select(User.public_id)
            .join(SiteView, SiteView.learner_id == User.id)
            .where(SiteView.public_id == public_id)
        )  # fmt: skip
    if learner_id is None:
        raise NotFound
    return learner_id


def end_views_of_sessions(session: Session, session_ids: Sequence[int]) -> None:
    """End what was seen in these sign-ins, which end in the caller's transaction."""
    if session_ids:
        _end(session, [SiteView.user_session_id.in_(session_ids)], how="signed out")


def find_site_view(*, public_id: str, staff: User, user_session_id: int | None) -> SiteViewing | None:
    """The view as it lasts now in this sign-in; None once it is over. What has lost its right or its time is ended."""
    row = db.session.execute(
        select(SiteView, User)
        .join(User, User.id == SiteView.learner_id)
        .where(SiteView.public_id == public_id, SiteView.ended_at.is_(None))
        .where(SiteView.staff_id == staff.id, SiteView.user_session_id == user_session_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        return None
    view, learner = row
    if view.ends_at <= clock.now():
        end_site_view(public_id=public_id, how="its time was over")
        return None
    try:
        _check(staff, learner)
    except CannotSeeAs:
        end_site_view(public_id=public_id, how="no longer allowed")
        return None
    return SiteViewing(public_id=public_id, learner=learner, ends_at=view.ends_at)


def list_overdue_view_ids() -> list[int]:
    """Views past their time that nobody came back to."""
    overdue = select(SiteView.id).where(SiteView.ended_at.is_(None), SiteView.ends_at <= clock.now())
    return list(db.session.scalars(overdue.order_by(SiteView.id).limit(SWEPT_AT_ONCE)))


@retry_conflicts
def end_overdue_view(view_id: int) -> None:
    """End one of them; again changes nothing."""
    with transaction() as session:
        _end(session, [SiteView.id == view_id, SiteView.ends_at <= clock.now()], how="its time was over")


def may_see_as(permissions: Collection[str], learner: User) -> bool:
    """Whether somebody with these permissions may: never as a person who may do what they may not."""
    return PEOPLE_WRITE in permissions and list_permissions(learner.roles) <= set(permissions)


def _check(staff: User, learner: User) -> None:
    if learner.id == staff.id:
        raise CannotSeeAs("That’s you: open the site and you see it.")
    if not learner.active:
        raise CannotSeeAs("The account is closed, so they see what every visitor sees.")
    if not may_see_as(list_permissions(staff.roles), learner):
        raise CannotSeeAs("They may do things here that you may not. Ask somebody with those rights.")


def _end(session: Session, conditions: list[ColumnElement[bool]], *, how: str) -> None:
    """One conditional update, so that each view has one end, and one entry for it under the name of who looked."""
    ended = session.execute(
        update(SiteView)
        .where(*conditions, SiteView.ended_at.is_(None))
        .values(ended_at=clock.now())
        .returning(SiteView.public_id, SiteView.staff_id, SiteView.learner_id)
    ).all()
    for row in ended:
        names: dict[int, str] = dict(
            session.execute(select(User.id, User.public_id).where(User.id.in_([row.staff_id, row.learner_id]))).all()
        )
        with acting_as(Actor(kind="user", id=names[row.staff_id])):
            record_audit(
                action="site_view.ended", subject_type="user", subject_id=names[row.learner_id],
                before={"view": row.public_id}, after={"ended": how},
            )  # fmt: skip
