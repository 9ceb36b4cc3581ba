"""The state of a list: all of it in the URL, so that a reload, the back button and a sent link show the same rows.

What the URL says and the list does not know is left out, never an error: links outlive views and filters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any
from urllib.parse import urlencode

from flask import request

LONGEST_SEARCH = 200
MOST_DIGITS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """A saved view: a tab above the list. key "" is the first one, "All"."""

    key: str
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Filter:
    """A select above the list, or a date: options are (value, label); no options make it a date field."""

    name: str
    label: str
    options: Sequence[tuple[str, str]] = ()

    def word_for(self, value: str) -> str:
        """What a chip says of a chosen value."""
        return dict(self.options).get(value, value)


@dataclass(frozen=True, kw_only=True, slots=True)
class ListSpec:
    """What a list offers. sorts: key to whether its first click sorts downwards; the first key is the default."""

    views: Sequence[View] = ()
    filters: Sequence[Filter] = ()
    sorts: Mapping[str, bool] = field(default_factory=dict)
    search_label: str = ""  # "": the list cannot be searched


@dataclass(frozen=True, kw_only=True, slots=True)
class Chip:
    """A filter in force, and the address without it."""

    label: str
    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ListState:
    """What the URL chose. Every value is one that the spec knows; dates are YYYY-MM-DD or ""."""

    spec: ListSpec
    path: str
    view: str = ""
    q: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    sort: str = ""
    is_descending: bool = False
    page: int = 1

    def get(self, name: str) -> str:
        """The value of a filter, "" when it is not set."""
        return self.filters.get(name, "")

    @property
    def params(self) -> dict[str, str]:
        """The URL's parameters, only what differs from the default."""
        default = _default_sort(self.spec)
        sort = ("-" if self.is_descending else "") + self.sort
        found = {"view": self.view, "q": self.q, **self.filters}
        found |= {"sort": "" if (self.sort, self.is_descending) == default else sort}
        found |= {"page": str(self.page) if self.page > 1 else ""}
        return {name: value for name, value in found.items() if value}

    def url(self, **changes: Any) -> str:
        """The address of this list with other values; any change but of the page begins at page 1."""
        filters = {**self.filters, **{name: value for name, value in changes.items() if name in self._filter_names}}
        fields = {name: value for name, value in changes.items() if name not in self._filter_names}
        state = replace(self, filters={k: v for k, v in filters.items() if v}, page=1)
        query = urlencode(replace(state, **fields).params)
        return f"{self.path}?{query}" if query else self.path

    def export_url(self, path: str) -> str:
        """The address at another path of everything that fits, in this order."""
        query = urlencode({name: value for name, value in self.params.items() if name != "page"})
        return f"{path}?{query}" if query else path

    def sort_url(self, key: str) -> str:
        """The address that sorts by this column, or turns its order round."""
        downwards = not self.is_descending if key == self.sort else self.spec.sorts[key]
        return self.url(sort=key, is_descending=downwards)

    def aria_sort(self, key: str) -> str:
        """The value of a heading's aria-sort."""
        if key != self.sort:
            return "none"
        return "descending" if self.is_descending else "ascending"

    @property
    def chips(self) -> list[Chip]:
        """What narrows the list, each with the address that takes it off."""
        chips = [Chip(label=f"“{self.q}”", url=self.url(q=""))] if self.q else []
        for each in self.spec.filters:
            value = self.get(each.name)
            if value:
                chips.append(Chip(label=f"{each.label}: {each.word_for(value)}", url=self.url(**{each.name: ""})))
        return chips

    @property
    def clear_url(self) -> str:
        """The address of the same view without anything that narrows it."""
        return self.url(q="", **dict.fromkeys(self._filter_names, ""))

    @property
    def _filter_names(self) -> set[str]:
        return {each.name for each in self.spec.filters}


def read_list_state(spec: ListSpec) -> ListState:
    """The state that this request's URL asks for."""
    args = request.args
    view = args.get("view", "")
    sort, is_descending = _default_sort(spec)
    wanted = args.get("sort", "")
    if wanted.lstrip("-") in spec.sorts:
        sort, is_descending = wanted.lstrip("-"), wanted.startswith("-")
    page = args.get("page", "")
    return ListState(
        spec=spec,
        path=request.path,
        view=view if view in {each.key for each in spec.views} else "",
        q=" ".join(args.get("q", "").replace("\x00", "")[:LONGEST_SEARCH].split()) if spec.search_label else "",
        filters={each.name: value for each in spec.filters if (value := _read_filter(each, args.get(each.name, "")))},
        sort=sort,
        is_descending=is_descending,
        page=int(page) if page.isascii() and page.isdigit() and len(page) <= MOST_DIGITS else 1,
    )


def _read_filter(spec: Filter, value: str) -> str:
    if not spec.options:
        return value if _is_iso_date(value) else ""
    return value if value in {known for known, _ in spec.options} else ""


def _default_sort(spec: ListSpec) -> tuple[str, bool]:
    return next(iter(spec.sorts.items()), ("", False))


def _is_iso_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
