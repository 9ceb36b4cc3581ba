"""Running a command as a script does, and looking at all that it left."""

import json
from typing import Any

from flask import Flask
from sqlalchemy import select

from app.db import Base, db


def run(app: Flask, *arguments: str, stdin: str | None = None) -> tuple[int, str, str]:
    """(exit code, stdout, stderr) of flask with these arguments."""
    result = app.test_cli_runner().invoke(args=list(arguments), input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def run_json(app: Flask, *arguments: str, stdin: str | None = None) -> Any:
    """What a command that succeeds prints with --json."""
    code, output, error = run(app, *arguments, "--json", stdin=stdin)
    assert (code, error) == (0, ""), output + error
    return json.loads(output)


def dump() -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    db.session.rollback()
    return {
        table.name: sorted((tuple(map(repr, row)) for row in db.session.execute(select(table))), key=repr)
        for table in Base.metadata.sorted_tables
    }
