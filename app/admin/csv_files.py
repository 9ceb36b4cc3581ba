"""A list as a CSV file: its rows one after the other, as they are read."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from flask import Response, stream_with_context

from app import clock


def answer_csv(name: str, columns: Sequence[str], rows: Iterable[Sequence[str | int]]) -> Response:
    """A download named after the list and today. Cells are the caller's, formulas disarmed."""
    day = clock.now().date().isoformat()
    return Response(
        stream_with_context(_write(columns, rows)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}-{day}.csv"', "Cache-Control": "no-store"},
    )


def _write(columns: Sequence[str], rows: Iterable[Sequence[str | int]]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    for cells in rows:
        writer.writerow(cells)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()
