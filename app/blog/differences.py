"""What differs between two texts, line by line, and inside a changed line word by word."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

Kind = Literal["same", "added", "removed", "gap"]
CONTEXT = 2
# Longer lines are shown as a whole: comparing them word by word costs more than it tells.
LONGEST_LINE = 4_000
WORD = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, kw_only=True, slots=True)
class DiffLine:
    """A line with its number in the text it is of. parts: (text, whether it changed). gap: same lines left out."""

    kind: Kind
    number: int
    parts: tuple[tuple[str, bool], ...]


def compare_texts(before: str, after: str) -> list[DiffLine]:
    """The changed lines with a little of what stands around them; nothing for equal texts."""
    old, new = before.splitlines(), after.splitlines()
    found: list[DiffLine] = []
    for group in SequenceMatcher(None, old, new).get_grouped_opcodes(CONTEXT):
        if group[0][1] > 0 or found:
            found.append(DiffLine(kind="gap", number=group[0][3] + 1, parts=()))
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                found += [DiffLine(kind="same", number=j + 1, parts=((new[j], False),)) for j in range(j1, j2)]
            else:
                found += _show_block(old[i1:i2], new[j1:j2], i1 + 1, j1 + 1)
    return found


def _show_block(old: Sequence[str], new: Sequence[str], old_number: int, new_number: int) -> list[DiffLine]:
    pairs = [_compare_words(*lines) for lines in zip(old, new, strict=False)]
    removed = [pair[0] for pair in pairs] + [((line, True),) for line in old[len(pairs) :]]
    added = [pair[1] for pair in pairs] + [((line, True),) for line in new[len(pairs) :]]
    return [
        *(DiffLine(kind="removed", number=old_number + at, parts=parts) for at, parts in enumerate(removed)),
        *(DiffLine(kind="added", number=new_number + at, parts=parts) for at, parts in enumerate(added)),
    ]


def _compare_words(old: str, new: str) -> tuple[tuple[tuple[str, bool], ...], tuple[tuple[str, bool], ...]]:
    if max(len(old), len(new)) > LONGEST_LINE:
        return ((old, True),), ((new, True),)
    before, after = WORD.findall(old), WORD.findall(new)
    removed: list[tuple[str, bool]] = []
    added: list[tuple[str, bool]] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, before, after).get_opcodes():
        removed.append(("".join(before[i1:i2]), tag != "equal"))
        added.append(("".join(after[j1:j2]), tag != "equal"))
    return tuple(part for part in removed if part[0]), tuple(part for part in added if part[0])
