"""Runs the migrations on the app's own engine, SQLite in batch mode."""

import time
from pathlib import Path

from alembic import context
from flask import current_app
from sqlalchemy.exc import OperationalError

database = current_app.extensions["migrate"].db

# A change of a table waits for everybody who uses it, and everybody who comes later waits behind it: no longer than this.
LONGEST_WAIT = "3s"
TRIES = 20
LOCK_NOT_AVAILABLE = "55P03"


def migrate() -> None:
    url = database.engine.url
    if url.get_backend_name() == "sqlite" and url.database:
        # The app itself opens only what is there.
        Path(url.database).touch()
    for tries_left in reversed(range(TRIES)):
        try:
            migrate_once()
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE or not tries_left:
                raise
            # Those who waited behind us go first; what was finished before this try stays done.
            time.sleep(1)
        else:
            return


def migrate_once() -> None:
    with database.engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:
            switch_foreign_keys(connection, "OFF")
        else:
            connection.exec_driver_sql(f"SET lock_timeout = '{LONGEST_WAIT}'")
            connection.commit()
        connection.execution_options(is_write=True)
        context.configure(
            connection=connection,
            target_metadata=database.metadata,
            compare_type=True,
            render_as_batch=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
        if is_sqlite:
            connection.rollback()
            switch_foreign_keys(connection, "ON")
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            if broken:
                raise RuntimeError(f"rows point to rows that are not there: {broken[:5]}")
        else:
            connection.exec_driver_sql("RESET lock_timeout")
            connection.commit()


def switch_foreign_keys(connection, state) -> None:
    """Batch mode recreates a SQLite table: with foreign keys on, dropping the old one fails, or deletes what points to it.

    Past SQLAlchemy, which would begin a transaction first: inside one the pragma does nothing, silently.
    """
    connection.connection.driver_connection.execute(f"PRAGMA foreign_keys={state}")


migrate()
