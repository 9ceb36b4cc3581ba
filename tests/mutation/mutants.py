"""The faults: what mutmut's operators make of each function body, and a seeded sample that takes its share from every file.

Left out, as mutmut does: annotations, decorators, defaults of parameters, len() and isinstance(), and what runs at import.
Left out besides: what is only logged.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import ndiff
from functools import cache
from pathlib import Path

import libcst as cst
from libcst import matchers as m
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

PACKAGES = ("app/payments", "app/checkout", "app/enrollment")
LOGGING = m.Call(func=m.Attribute(value=m.Name("log") | m.Attribute(value=m.Name("structlog"))))
NEVER = LOGGING | m.Lambda(body=LOGGING) | m.Call(func=m.Name("len") | m.Name("isinstance"))
SKIPPED = (cst.Annotation, cst.Decorator, cst.Param)


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One fault: a node of a function's body and what stands in its place."""

    path: str
    function: str
    line: int
    operator: str
    original: cst.CSTNode
    mutated: cst.CSTNode

    @property
    def source(self) -> str:
        """The file with the fault in it."""
        module = parse(self.path).module
        return cst.ensure_type(module.deep_replace(self.original, self.mutated), cst.Module).code

    def describe(self) -> dict[str, str]:
        """What names this fault also after the lines around it have changed."""
        lines = list(ndiff(parse(self.path).module.code.splitlines(), self.source.splitlines()))
        before, after = (" ".join(line[2:].strip() for line in lines if line[0] == sign) for sign in "-+")
        return {
            "file": self.path,
            "function": self.function,
            "operator": self.operator.removeprefix("operator_"),
            "before": before,
            "after": after,
        }


@cache
def parse(path: str) -> MetadataWrapper:
    return MetadataWrapper(cst.parse_module(Path(path).read_text(encoding="utf-8")), unsafe_skip_copy=True)


def list_mutants() -> list[Mutant]:
    """Every fault that can be made, in the order of the files."""
    found: list[Mutant] = []
    for path in sorted(str(file) for package in PACKAGES for file in Path(package).glob("*.py")):
        visitor = _Finder(path)
        parse(path).visit(visitor)
        found += visitor.found
    return found


def take_sample(mutants: list[Mutant], size: int, seed: int) -> list[Mutant]:
    """So many of them by chance, each file's share rounded by largest remainder."""
    strata: dict[str, list[Mutant]] = {}
    for mutant in mutants:
        strata.setdefault(mutant.path, []).append(mutant)
    exact = {path: min(size, len(mutants)) * len(stratum) / len(mutants) for path, stratum in strata.items()}
    counts = {path: int(share) for path, share in exact.items()}
    left = min(size, len(mutants)) - sum(counts.values())
    for path in sorted(exact, key=lambda each: counts[each] - exact[each])[:left]:
        counts[path] += 1
    chance = random.Random(seed)
    return [mutant for path, stratum in strata.items() for mutant in chance.sample(stratum, counts[path])]


class _Finder(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, path: str) -> None:
        super().__init__()
        self.found: list[Mutant] = []
        self._path = path
        self._names: list[tuple[cst.CSTNode, str]] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, SKIPPED) or m.matches(node, NEVER):
            return False
        if isinstance(node, cst.ClassDef | cst.FunctionDef) and not self._is_in_function():
            self._names.append((node, node.name.value))
        elif self._is_in_function():
            self.found += self._mutate(node)
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if self._names and self._names[-1][0] is original_node:
            self._names.pop()

    def _is_in_function(self) -> bool:
        return bool(self._names) and isinstance(self._names[-1][0], cst.FunctionDef)

    def _mutate(self, node: cst.CSTNode) -> Iterable[Mutant]:
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                for mutated in operator(node):
                    yield Mutant(
                        path=self._path,
                        function=".".join(name for _, name in self._names),
                        line=self.get_metadata(PositionProvider, node).start.line,
                        operator=operator.__name__,
                        original=node,
                        mutated=mutated,
                    )
