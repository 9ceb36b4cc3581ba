"""A record of what was said: every API call with its answer and every event, one JSON object a line."""

import json
import threading
from pathlib import Path

from app.sandbox.documents import Document


class Recorder:
    """Appends to a file. Whole lines only, so several threads and a kill in between leave it readable."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._writing = threading.Lock()
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)

    def record_events(self, events: list[Document]) -> None:
        self._append([{"event": event} for event in events])

    def record_call(self, method: str, path: str, body: str, status: int, answer: Document | None) -> None:
        """`answer` None: it was carried out, but the client was not given it."""
        line: Document = {"method": method, "path": path, "request_body": body, "status": status}
        if answer is not None:
            line["response"] = answer
        self._append([line])

    def _append(self, lines: list[Document]) -> None:
        if self._path is None:
            return
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        with self._writing, self._path.open("a", encoding="utf-8") as file:
            file.write(text)
