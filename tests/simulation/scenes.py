"""A shop that came to rest rightly, for tests that spoil its end in one place."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.simulation.harness import Shop
from tests.simulation.plan import Move, Plan
from tests.simulation.run import play
from tests.simulation.steps import Step
from tests.simulation.world import World


@contextmanager
def play_scene(
    steps: Sequence[Step], *, name: str, orders: int, settings: dict[str, Any] | None = None
) -> Iterator[World]:
    """A guest (0) and two buyers with an account; nothing goes wrong. Keeps the end state."""
    moves = tuple(Move(step, None, None) for step in steps)
    plan = Plan(3, (True, False, False), orders, moves, tuple((settings or {}).items()))
    with Shop(database="sqlite", name=name) as shop:
        world = play(shop, plan)
        shop.kill("web")
        shop.database.keep()
        shutil.copytree(shop.mail_folder, shop.folder / "mail.kept")
        yield world


def put_back(world: World) -> World:
    """The end state as it was kept."""
    shop = world.shop
    shop.database.put_back()
    shutil.rmtree(shop.mail_folder)
    shutil.copytree(shop.folder / "mail.kept", shop.mail_folder)
    return world


def find_mail(world: World, words: str) -> Path:
    return next(path for path in sorted(world.shop.mail_folder.glob("*.eml")) if words in path.read_text())
