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


def run_migrations() -> None:
    if database.engine.dialect.name == "sqlite" and database.engine.url.database:
        # The app itself opens only what is there.
        Path(database.engine.url.database).touch()
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
    # Batch mode recreates a SQLite table: with foreign keys on, dropping the old one would delete what points to it.
    with database.engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.rollback()
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
            connection.exec_driver_sql("PRAGMA foreign_keys=ON")
        else:
            connection.exec_driver_sql("RESET lock_timeout")
            connection.commit()


run_migrations()
