"""flask db copy: everything the shop knows, from its own database into an empty one of either kind (F99).

Flask-Migrate owns the noun; this verb stands beside its `upgrade`. The task queue is left out: the rows are the work.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from alembic.migration import MigrationContext
from flask.cli import with_appcontext
from flask_migrate.cli import db as db_commands
from sqlalchemy import Connection, Engine, Table, create_engine, func, insert, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from app.config import read_database_url
from app.db import Base, db, prepare_engine

__all__ = ["copy", "copy_database", "db_commands", "go_on_counting"]

BATCH_SIZE = 1_000
# Filled by the migrations, so not empty in a database that is; the copy replaces what they hold.
SEEDED_TABLES = frozenset({"roles", "invoice_counters"})
NO_TABLES = "The target has no tables yet: run flask db upgrade with its DATABASE_URL first."


@click.command("copy")
@click.argument("target")
@click.option("--dry-run", is_flag=True, help="Check both databases and count; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_appcontext
def copy(target: str, *, dry_run: bool, as_json: bool) -> None:
    """Copy every table into another database that is migrated and empty; TARGET is its DATABASE_URL.

    \b
    Stop web and worker first: what is written meanwhile is not copied. Then:
      DATABASE_URL=postgresql://user:password@host/shop flask db upgrade
      flask db copy postgresql://user:password@host/shop
    and start again with the new DATABASE_URL. All of it is copied, or nothing; the old database is only read.
    """
    counts = copy_database(target, is_rehearsal=dry_run)
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, "rows": sum(counts.values()), "tables": counts}))
        return
    for table, count in counts.items():
        click.echo(f"{count:>9}  {table}")
    verb = "would be copied" if dry_run else "were copied"
    click.echo(f"{sum(counts.values()):>9}  rows in {len(counts)} tables {verb}.")


db_commands.add_command(copy)


def copy_database(target_url: str, *, is_rehearsal: bool) -> dict[str, int]:
    """Copy all rows in one transaction; gives the number by table, in the order in which they went.

    Raises ClickException, with one sentence, when the target is the same database, not migrated as this one is, not
    empty or not there; nothing is written then.
    """
    engine = _open(target_url)
    try:
        # One moment of the source, whatever is written meanwhile; on SQLite a read transaction is that by itself.
        with db.engine.connect() as source, engine.connect().execution_options(is_write=True) as target:
            if source.dialect.name == "postgresql":
                source.execution_options(isolation_level="REPEATABLE READ")
            with source.begin(), target.begin() as writing:
                _refuse_unfit(source, target)
                counts = {table.name: _copy_table(table, source, target) for table in Base.metadata.sorted_tables}
                if is_rehearsal:
                    writing.rollback()
            return counts
    except DBAPIError as error:
        raise click.ClickException(
            f"The copy failed and nothing was written: {type(error.orig).__name__}. Both databases must be there; make"
            " the target with flask db upgrade and its DATABASE_URL."
        ) from error
    finally:
        engine.dispose()


def _open(url: str) -> Engine:
    try:
        engine = create_engine(read_database_url(url))
    except ArgumentError as error:
        raise click.ClickException(
            "The target is no database URL, such as postgresql://user:password@host/shop."
        ) from error
    if engine.url == db.engine.url:
        raise click.ClickException("The target is the shop’s own database.")
    if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").exists():
        raise click.ClickException(NO_TABLES)
    prepare_engine(engine)
    return engine


def _refuse_unfit(source: Connection, target: Connection) -> None:
    revisions = [MigrationContext.configure(each).get_current_revision() for each in (source, target)]
    if revisions[1] is None:
        raise click.ClickException(NO_TABLES)
    if revisions[0] != revisions[1]:
        raise click.ClickException(
            f"The shop is at migration {revisions[0]} and the target at {revisions[1]}: upgrade both first."
        )
    for table in Base.metadata.sorted_tables:
        if table.name not in SEEDED_TABLES and target.execute(select(table.c[0]).limit(1)).first() is not None:
            raise click.ClickException(f"The target is not empty: {table.name} has rows.")


def _copy_table(table: Table, source: Connection, target: Connection) -> int:
    if table.name in SEEDED_TABLES:
        target.execute(table.delete())
    count = 0
    with source.execution_options(yield_per=BATCH_SIZE).execute(select(table)) as found:
        for rows in found.mappings().partitions():
            target.execute(insert(table), [_plain(row) for row in rows])
            count += len(rows)
    go_on_counting(table, target)
    return count


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row.items()}


def go_on_counting(table: Table, target: Connection) -> None:
    """Let PostgreSQL's sequence go on after the highest key that was copied; SQLite takes the next one by itself."""
    key = table.autoincrement_column
    if key is None or target.dialect.name != "postgresql":
        return
    sequence = target.scalar(text("SELECT pg_get_serial_sequence(:name, :key)"), {"name": table.name, "key": key.name})
    highest = target.scalar(select(func.max(key)))
    if sequence is not None and highest is not None:
        target.execute(text("SELECT setval(:sequence, :highest)"), {"sequence": sequence, "highest": highest})
