"""One run of a flow: prepare, act until the kill, resume, judge."""

import gc
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from flask import Flask

from app.db import db
from tests.crash_points.books import list_doubtful_letters, read_books
from tests.crash_points.children import ChildFailed, Diary, Ending, output_into, run_child
from tests.crash_points.flows import FLOWS
from tests.crash_points.flows.flow import Flow
from tests.crash_points.judge import Complaint, compare, judge
from tests.crash_points.points import Trap, is_point, watch_database, watch_files, watch_queue, watch_sockets
from tests.crash_points.scene import Facts, Scene
from tests.crash_points.world import World

# Longer than the lease of a mail (two minutes) and the first back-off of an event or refund.
ROUNDS_MINUTES = (3.0,)
A_DAY_LATER_HOURS = 26
MOST_TRIES = 3

Sabotage = Callable[[Flask], None]


@dataclass(frozen=True, kw_only=True)
class Run:
    """One way through a flow: its parts in order, each in a process of its own, over a world that starts empty."""

    world: World
    flow: Flow
    trap: Trap = field(default_factory=Trap)
    sabotage: Sabotage | None = None

    def carry_out(self) -> tuple[Ending, Ending]:
        """How the act and what followed it ended."""
        self.world.empty()
        log = self.world.log
        prepared = run_child(self.prepare, log=log)
        assert not prepared.was_killed
        acted = run_child(lambda diary: self.act(diary, prepared.value), log=log)
        resumed = run_child(lambda diary: self.resume(diary, prepared.value, acted.notes), log=log)
        assert not resumed.was_killed
        return acted, resumed

    def prepare(self, diary: Diary) -> Facts:
        with self.open_scene(diary) as scene:
            scene.control("/reset")
            with self.world.app.app_context():
                self.world.empty_tables()
            return self.flow.prepare(scene)

    def act(self, diary: Diary, facts: Facts) -> list[str]:
        trap = self.trap
        trap.note = lambda label: diary.write(note="kill", label=label)
        with self.open_scene(diary, trap=trap) as scene:
            scene.advance(minutes=self.flow.starts_after_minutes)
            with scene.app.app_context():
                watch_database(trap, db.engine.dialect)
            ports = self.world.ports
            watch_sockets(trap, {ports["stripe"]: "Stripe", ports["mail"]: "the mail server"})
            watch_queue(trap, scene.app.extensions["huey"].storage)
            watch_files(trap, self.world.instance / "mail")
            self._remove_guard(scene)
            trap.is_armed = True
            self.flow.act(scene, facts)
            trap.reach("before end")
            trap.is_armed = False
            return trap.labels

    def resume(self, diary: Diary, facts: Facts, notes: tuple[Facts, ...]) -> Facts:
        with self.open_scene(diary, notes=notes) as scene:
            scene.advance(minutes=self.flow.starts_after_minutes)
            doubtful = list_doubtful_letters(scene)
            self._remove_guard(scene)
            scene.advance(seconds=5)
            self.flow.resume(scene, facts)
            for minutes in (*ROUNDS_MINUTES, self.flow.healed_after_minutes - sum(ROUNDS_MINUTES)):
                scene.work()
                scene.advance(minutes=minutes)
            scene.work()
            soon = _look(scene, doubtful)
            scene.advance(hours=A_DAY_LATER_HOURS)
            scene.work()
            later = _look(scene, doubtful)
            return {"soon": soon, "later": later, "repeats": later["repeats"]}

    def _remove_guard(self, scene: Scene) -> None:
        if self.sabotage is not None:
            self.sabotage(scene.app)

    @contextmanager
    def open_scene(self, diary: Diary, **given: Any) -> Iterator[Scene]:
        """The hands of one child, over the shop with the flow's settings."""
        app = self.world.make_app(**self.flow.settings) if self.flow.settings else self.world.app
        yield Scene(self.world, diary, app=app, **given)
        with app.app_context():
            db.session.remove()
            db.engine.dispose()
        app.extensions["huey"].storage.close()


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """The run that nobody disturbed: its labels in order, and what there was soon after and a day later."""

    labels: tuple[str, ...]
    soon: Counter[str]
    later: Counter[str]

    @property
    def points(self) -> tuple[str, ...]:
        """The labels of the crash points; the first is point 1."""
        return tuple(label for label in self.labels if is_point(label))


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How the run ended that was killed at a point. repeats: letters that came twice as fault F93 allows."""

    flow: str
    point: int
    label: str
    complaints: tuple[Complaint, ...]
    repeats: int

    def count(self, kind: str) -> int:
        return sum(each.kind == kind for each in self.complaints)


def warm_up(world: World) -> None:
    """Go through a flow in this process, so that its forks begin with modules loaded, templates and queries compiled."""
    run = Run(world=world, flow=FLOWS["claim"])
    diary = Diary(os.open(os.devnull, os.O_WRONLY))
    world.empty()
    with output_into(world.log):
        facts = run.prepare(diary)
        with run.open_scene(diary) as scene:
            run.flow.act(scene, facts)
        run.resume(diary, facts, ())
    # A connection that several processes share would mix up their answers.
    world.app.extensions["stripe_client"]._requestor._client.close()
    # What is there now stays: a collection in a fork would only copy its memory.
    gc.collect()
    gc.freeze()


def rehearse(world: World, flow: Flow) -> Rehearsal:
    """Run a flow to its end and list its crash points. Raises AssertionError when even that run is not right."""
    acted, resumed = Run(world=world, flow=flow).carry_out()
    assert not acted.was_killed
    soon, later = resumed.value["soon"], resumed.value["later"]
    complaints = [*soon["complaints"], *later["complaints"]]
    broken = flow.breaks_promise(Counter(later["counted"]))
    assert not [*complaints, *broken], f"{flow.name} without a kill: {complaints} {broken}"
    return Rehearsal(labels=tuple(acted.value), soon=Counter(soon["counted"]), later=Counter(later["counted"]))


def kill_at(world: World, flow: Flow, rehearsal: Rehearsal, point: int) -> Verdict:
    """Kill the flow at a point and judge what became of it.

    A run whose n-th point is not the rehearsal's (an answer came in two pieces) is run again; after MOST_TRIES the point
    counts as wrong.
    """
    label = rehearsal.points[point - 1]
    for _ in range(MOST_TRIES):
        run = Run(world=world, flow=flow, trap=Trap(point))
        verdict = judge_run(run, rehearsal)
        if verdict.label == label:
            return verdict
    missed = Complaint("wrong", f"the run went another way: {verdict.label or 'no kill'}, {verdict.complaints}")
    return replace(verdict, label=label, complaints=(missed,))


def judge_run(run: Run, rehearsal: Rehearsal) -> Verdict:
    """Carry a run out; label is "" where nothing was killed, or a part of it failed."""
    found: list[Complaint] = []
    label, repeats = "", 0
    try:
        acted, resumed = run.carry_out()
    except ChildFailed as error:
        found = [Complaint("wrong", str(error))]
    else:
        found += _judge_moment("soon", resumed.value["soon"], rehearsal.soon, run.flow)
        found += _judge_moment("a day later", resumed.value["later"], rehearsal.later, run.flow)
        label = next((note["label"] for note in acted.notes if note["note"] == "kill"), "")
        repeats = resumed.value["repeats"]
    point = run.trap.kill_at or 0
    return Verdict(flow=run.flow.name, point=point, label=label, complaints=tuple(found), repeats=repeats)


def _judge_moment(moment: str, said: Facts, expected: Counter[str], flow: Flow) -> Iterator[Complaint]:
    complaints = [Complaint(each["kind"], each["text"]) for each in said["complaints"]]
    differences = compare(Counter(said["counted"]), expected, may_vanish=flow.may_vanish)
    for each in [*complaints, *differences]:
        yield Complaint(each.kind, f"{moment}: {each.text}")


def _look(scene: Scene, doubtful: set[str]) -> Facts:
    books = read_books(scene)
    complaints = judge(books, answered=scene.list_answered_events(), doubtful=doubtful)
    return {
        "counted": books.count(),
        "complaints": [each.as_note() for each in complaints],
        "repeats": sum(books.letters[each] - 1 for each in doubtful if books.letters[each] > 1),
    }
