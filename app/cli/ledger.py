"""flask ledger export."""

import csv
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

import click
from flask.cli import AppGroup

from app.cli.files import fail_in_words
from app.cli.spans import parse_since, parse_until
from app.money import to_decimal
from app.reports.ledger_export import (
    ENTRY_COLUMNS,
    ORDER_COLUMNS,
    Movement,
    OrderSums,
    Span,
    Totals,
    add_totals,
    iterate_entries,
    iterate_orders,
    list_cells,
)

ledger = AppGroup("ledger", help="The money of all orders, for bookkeeping.")

SUMS = ("captured", "refunded", "withdrawn", "reinstated", "net")
WriteRow = Callable[[OrderSums | Movement], None]


@ledger.command("export")
@click.option("--since", help="Only what moved from this day or time on (the shop’s time zone).")
@click.option("--until", help="Only what moved up to the end of this day, or before this time.")
@click.option("--format", "format_", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True)
@click.option("--entries", is_flag=True, help="One row for each movement, with Stripe’s id, instead of each order.")
@click.option("--totals", is_flag=True, help="Print only what the rows add up to in each currency.")
@click.option(
    "--to", "path", type=click.Path(dir_okay=False, path_type=Path), help="Write this file, whole or not at all."
)
@fail_in_words
def export(
    *, since: str | None, until: str | None, format_: str, entries: bool, totals: bool, path: Path | None
) -> None:
    """Write what moved for each order: captured, refunded, withdrawn by disputes and reinstated.

    Amounts are in minor units (9700 is 97.00 USD), the columns named _decimal in units. With a span, sums equal those
    of Stripe's balance transactions of the same span, before fees. Sums go to stderr.

    \b
    Example:
      flask ledger export --since 2026-01-01 --until 2026-01-31 --to january.csv
      flask ledger export --entries --format jsonl
    """
    span = Span(since=parse_since(since), until=parse_until(until))
    rows: Iterator[OrderSums | Movement] = iterate_entries(span) if entries else iterate_orders(span)
    sums: dict[str, Totals] = {}
    with _open(path) as stream:
        write = _make_writer(stream, format_, ENTRY_COLUMNS if entries else ORDER_COLUMNS, is_silent=totals)
        for row in rows:
            add_totals(sums, row)
            write(row)
        if totals:
            _write_totals(stream, format_, sums)
    _tell(sums, path)


def _make_writer(stream: TextIO, format_: str, columns: tuple[str, ...], *, is_silent: bool) -> WriteRow:
    if is_silent:
        return lambda _row: None
    if format_ == "jsonl":
        return lambda row: _write_line(stream, asdict(row))
    writer = csv.writer(stream, lineterminator="\r\n")  # RFC 4180
    writer.writerow(columns)

    def write(row: OrderSums | Movement) -> None:
        writer.writerow(list_cells(row))

    return write


def _write_totals(stream: TextIO, format_: str, sums: dict[str, Totals]) -> None:
    documents = [
        {
            "currency": each.currency,
            "rows": each.rows,
            **{name: getattr(each, name) for name in SUMS},
            **{f"{name}_decimal": f"{to_decimal(getattr(each, name), each.currency):f}" for name in SUMS},
        }
        for _, each in sorted(sums.items())
    ]
    if format_ == "jsonl":
        for document in documents:
            _write_line(stream, document)
        return
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(["currency", "rows", *SUMS, *(f"{name}_decimal" for name in SUMS)])
    writer.writerows(document.values() for document in documents)


def _write_line(stream: TextIO, document: dict[str, object]) -> None:
    stream.write(json.dumps(document, ensure_ascii=False) + "\n")


@contextmanager
def _open(path: Path | None) -> Iterator[TextIO]:
    """Where to write: stdout, or a file that appears only when it is complete."""
    if path is None:
        yield sys.stdout
        return
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise click.ClickException(f"The file can’t be written: {error.strerror}.") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            yield stream
        Path(name).replace(path)
    except OSError as error:
        raise click.ClickException(f"The file can’t be written: {error.strerror}.") from error
    finally:
        Path(name).unlink(missing_ok=True)


def _tell(sums: dict[str, Totals], path: Path | None) -> None:
    target = f" to {path}" if path is not None else ""
    click.echo(f"Wrote {sum(each.rows for each in sums.values())} rows{target}.", err=True)
    for currency, each in sorted(sums.items()):
        amounts = ", ".join(f"{name} {to_decimal(getattr(each, name), currency):f}" for name in SUMS)
        click.echo(f"{currency.upper()}: {amounts}.", err=True)
