"""What importing and exporting commands share: which files are meant, how they fail, how they tell their counts."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from app.errors import AppError

P = ParamSpec("P")
R = TypeVar("R")


def fail_in_words(function: Callable[P, R]) -> Callable[P, R]:
    """A refusal becomes one sentence on stderr and exit code 1."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except AppError as error:
            raise click.ClickException(error.sentence) from error

    return wrapper


def read_files(paths: Iterable[Path]) -> list[tuple[str, str]]:
    """(name, text) of the files named, folders giving their .md files in order. Raises ClickException."""
    files: list[Path] = []
    for path in paths:
        files += sorted(path.glob("*.md")) if path.is_dir() else [path]
    if not files:
        raise click.ClickException("There are no .md files there.")
    try:
        return [(file.name, file.read_text(encoding="utf-8")) for file in files]
    except UnicodeDecodeError as error:
        raise click.ClickException("A file is not UTF-8 text: save it as UTF-8 and try again.") from error
    except OSError as error:
        raise click.ClickException(f"A file can’t be read: {error.strerror}.") from error


def tell_saved(noun: str, saved: Iterable[tuple[str, str]], *, as_json: bool, is_plan: bool) -> None:
    """Print what became of each (slug, outcome), and how many there were of each kind."""
    rows = list(saved)
    counts = dict.fromkeys(("created", "changed", "unchanged"), 0) | Counter(row[1] for row in rows)
    if as_json:
        items = [{"slug": slug, "outcome": outcome} for slug, outcome in rows]
        click.echo(json.dumps({"dry_run": is_plan, noun: items, "counts": counts}))
        return
    for slug, outcome in rows:
        click.echo(f"{outcome:>9}  {slug}")
    summary = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    click.echo(f"{'Would be' if is_plan else 'Done'}: {len(rows)} {noun}: {summary}.")


def write_exports(texts: dict[str, str], folder: Path | None, *, as_json: bool) -> None:
    """Write each slug's text to folder/slug.md, or to stdout when there is no folder."""
    if as_json:
        click.echo(json.dumps(texts, ensure_ascii=False))
        return
    if folder is None:
        for text in texts.values():
            click.echo(text, nl=False)
        return
    folder.mkdir(parents=True, exist_ok=True)
    for slug, text in texts.items():
        (folder / f"{slug}.md").write_text(text, encoding="utf-8")
    click.echo(f"Wrote {len(texts)} files.")
