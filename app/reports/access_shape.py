"""What a trace of access is made of. No queries, no words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

StepKind = Literal[
    "order", "payment", "refund", "dispute", "seat", "mail", "claim", "grant", "account", "course", "nothing"
]
StepState = Literal["ok", "waiting", "missing", "broken"]
Fix = Literal["open", "sign_in", "switch", "resend", "wait", "pay", "refund", "seats", "buy", "contact"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessStep:
    """One link of the chain.

    state: "ok" it holds, "waiting" it comes by itself, "missing" somebody has to do it, "broken" it ended or failed.
    sentence is for people and holds masked addresses only; ids is for admins: what to look up, values as text.
    at is UTC, None for what has not happened. strand names the purchase or grant that the step belongs to.
    """

    kind: StepKind
    state: StepState
    sentence: str
    at: datetime | None
    strand: str
    ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessVerdict:
    """The answer: a stable code, a heading and one sentence for people, and the kind of thing that helps."""

    code: str
    is_open: bool
    heading: str
    sentence: str
    fix: Fix


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessTrace:
    """Why a person has, or has not, a course: the verdict, the step that decides it, and every step before it.

    user_id is the account whose access was judged, None where the chain ends before any account. strand,
    order_public_id, order_number and seat_public_id are those of the deciding purchase, "" without one;
    claim_version is that seat's.
    """

    course_id: int
    course_slug: str
    course_title: str
    user_id: int | None
    verdict: AccessVerdict
    cause: AccessStep
    steps: tuple[AccessStep, ...]
    strand: str
    order_public_id: str
    order_number: str
    seat_public_id: str
    claim_version: int

    def as_json(self) -> dict[str, Any]:
        """The trace as JSON's own types, times in ISO 8601 UTC: for scripts and the back office."""
        return {
            "course": {"id": self.course_id, "slug": self.course_slug, "title": self.course_title},
            "user_id": self.user_id,
            "order": self.order_public_id,
            "order_number": self.order_number,
            "seat": self.seat_public_id,
            "verdict": {
                "code": self.verdict.code,
                "is_open": self.verdict.is_open,
                "sentence": self.verdict.sentence,
                "fix": self.verdict.fix,
            },
            "cause": _step_as_json(self.cause),
            "steps": [_step_as_json(step) for step in self.steps],
        }


def _step_as_json(step: AccessStep) -> dict[str, Any]:
    return {
        "kind": step.kind,
        "state": step.state,
        "sentence": step.sentence,
        "at": step.at.isoformat() if step.at is not None else None,
        "strand": step.strand,
        "ids": dict(step.ids),
    }
