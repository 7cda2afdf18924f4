"""What the report says, in English and Korean: one catalogue, ``templates/texts.toml``, in which every sentence stands in both languages.

Placeholders are those of `str.format`; ``{n:picture|pictures}`` gives the first word for one and the second for every other number.
"""

import string
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = ("en", "ko")
ISSUES = {"empty file": "empty", "not a picture": "no_picture", "too large": "too_large", "too small": "too_small", "cannot be opened": "closed",
          "the file's name": "name"}  # how the manifest's sentences begin → keys
TEMPLATES = Path(__file__).parent / "templates"


class Texts:
    """``texts(key, **facts)``: a sentence of one language with its facts put in."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._formatter = _Formatter()

    def __call__(self, key: str, /, **facts: Any) -> str:
        """The sentence ``key``; raises `KeyError` where the catalogue has none or a fact is missing."""
        return self._formatter.vformat(catalogue()[key][self.language], (), facts)

    def table(self, columns: Sequence[str], body: list[list[str]]) -> dict[str, Any]:
        """A table for the templates, its ``columns`` named in the language."""
        return {"head": [self(f"column.{name}") for name in columns], "body": body}

    def listed(self, names: list[str], most: int = 6) -> str:
        """"a, b and c"; of more than ``most`` names the first, and how many more."""
        if len(names) > most:
            return self("list.more", first=", ".join(names[:most]), n=len(names) - most)
        if len(names) < 2:
            return "".join(names)
        return self("list.and", first=", ".join(names[:-1]), last=names[-1])

    def issue(self, issue: str) -> str:
        """The kind of trouble with a file, from the sentence that the manifest has."""
        if issue.startswith("damaged "):
            return self("issue.damaged", format=issue.split(":")[0].removeprefix("damaged "))
        return next((self(f"issue.{key}") for start, key in ISSUES.items() if issue.startswith(start)), issue.split(":")[0])


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """key → language → text, as the file has it."""
    sections = tomllib.loads((TEMPLATES / "texts.toml").read_text(encoding="utf-8"))
    return {f"{section}.{key}": text for section, entries in sections.items() for key, text in entries.items()}


def placeholders(text: str) -> set[str]:
    """The names of the facts that a text needs."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


class _Formatter(string.Formatter):
    def format_field(self, value: Any, spec: str) -> str:
        if "|" in spec:
            one, many = spec.split("|")
            return one if value == 1 else many
        return str(super().format_field(value, spec))
