"""Crash points: the places at which a process can be killed, one before each of its steps and one after the last.

What happens inside the process between two steps dies with it, so "after this step" and "before the next" are one place.
A step is whatever the world outside can see: a statement, a commit, a socket call, a queue or file operation, an answer.
"""

import os
import re
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

from huey.storage import BaseStorage
from sqlalchemy import Dialect

Describe = Callable[..., str | None]

STATEMENT = re.compile(
    r"(?P<verb>INSERT INTO|UPDATE|DELETE FROM|SELECT\b.*?\bFROM|BEGIN\b|SAVEPOINT|RELEASE|ROLLBACK|\w+)\W*(?P<table>\w*)",
    re.DOTALL | re.IGNORECASE,
)
# What a step is called in the totals; the first that fits.
KINDS = ("statement", "commit", "rollback", "connection", "send", "receive", "queue", "file", "answer", "end")


@dataclass
class Trap:
    """Keeps the labels that the process passes while it is armed, and kills the process at one of its points.

    kill_at: the number of the point, from 1; None: at none. only: count this label, whether it is a point or not.
    """

    kill_at: int | None = None
    only: str | None = None
    note: Callable[[str], None] = lambda _label: None
    labels: list[str] = field(default_factory=list)
    is_armed: bool = False
    _counted: int = 0

    def reach(self, label: str) -> None:
        """Say that the process is at this label."""
        if not self.is_armed:
            return
        self.labels.append(label)
        self._counted += is_point(label) if self.only is None else label == self.only
        if self._counted == self.kill_at:
            self.note(label)
            os.kill(os.getpid(), signal.SIGKILL)


def is_point(label: str) -> bool:
    """Whether a label stands for a place of its own: what is after a step is before the next."""
    return not label.startswith("after ")


def watch_database(trap: Trap, dialect: Dialect) -> None:
    """Every statement (SQLite's BEGIN is one), commit, rollback and connection made through SQLAlchemy's engine."""
    for name in ("do_execute", "do_executemany", "do_execute_no_params"):
        _around(trap, dialect, name, lambda _cursor, statement, *_rest: f"statement {_shorten(statement)}")
    _around(trap, dialect, "do_commit", lambda _connection: "commit")
    _around(trap, dialect, "do_rollback", lambda _connection: "rollback")
    _around(trap, dialect, "connect", lambda *_given: "connection to the database")


def watch_sockets(trap: Trap, names: Mapping[int, str]) -> None:
    """Every connect, send and receive of this process with one of the ports, which the names explain."""

    def with_peer(step: str) -> Describe:
        def describe(own: socket.socket, *_given: Any) -> str | None:
            try:
                port = own.getpeername()[1]
            except OSError:
                return None
            return f"{step} {names[port]}" if port in names else None

        return describe

    def describe_connect(_own: socket.socket, address: Any) -> str | None:
        is_ours = isinstance(address, tuple) and address[1] in names
        return f"connection to {names[address[1]]}" if is_ours else None

    for name in ("send", "sendall"):
        _around(trap, socket.socket, name, with_peer("send to"))
    for name in ("recv", "recv_into"):
        _around(trap, socket.socket, name, with_peer("receive from"))
    _around(trap, socket.socket, "connect", describe_connect)


def watch_queue(trap: Trap, storage: BaseStorage) -> None:
    """Every task put into the queue and taken out of it."""
    _around(trap, storage, "enqueue", lambda *_given: "queue put")
    _around(trap, storage, "dequeue", lambda *_given: "queue take")


def watch_files(trap: Trap, folder: Path) -> None:
    """Every file written into the folder, half of it too, and every rename there."""
    write_bytes = Path.write_bytes

    def write_in_two_parts(path: Path, content: bytes) -> int:
        if path.parent != folder:
            return write_bytes(path, content)
        trap.reach("before file written")
        write_bytes(path, content[: len(content) // 2])
        trap.reach("within file written")
        size = write_bytes(path, content)
        trap.reach("after file written")
        return size

    Path.write_bytes = write_in_two_parts  # type: ignore[method-assign,assignment]
    _around(trap, Path, "rename", lambda path, *_given: "file renamed" if path.parent == folder else None)


def kind_of(label: str) -> str:
    """The kind of step a label stands beside, one of KINDS."""
    return label.split()[1]


def _around(trap: Trap, owner: Any, name: str, describe: Describe) -> None:
    """A label before and one after each call of owner.name, unless describe() gives None for its arguments."""
    original = getattr(owner, name)

    @wraps(original)
    def watched(*args: Any, **kwargs: Any) -> Any:
        step = describe(*args) if trap.is_armed else None
        if step is None:
            return original(*args, **kwargs)
        trap.reach(f"before {step}")
        result = original(*args, **kwargs)
        trap.reach(f"after {step}")
        return result

    setattr(owner, name, watched)


def _shorten(statement: str) -> str:
    """ "UPDATE orders" of a whole statement: the same in every run."""
    found = STATEMENT.match(statement.strip())
    if found is None:
        return statement[:40]
    verb = found["verb"].split()[0].upper()
    return f"{verb} {found['table']}".strip()
