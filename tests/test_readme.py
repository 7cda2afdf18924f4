"""The READMEs: the Korean one has the sections, commands, figures, names and links of the English one, and no link leads nowhere."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
ENGLISH, KOREAN = "README.md", "README.ko.md"
TREE = "Tree"  # the English listing of files, to which the Korean README links
TREE_LINK = f"{ENGLISH}#{TREE.lower()}"
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")  # an image is one too
FIGURE = re.compile(r"(?<![A-Za-z0-9.,])\.?\d+(?:[.,]\d+)*")  # not the 1 of F1
CELL = re.compile(r"(?<!\\)\|")


class Section(NamedTuple):
    """A heading with its ``level``, the ``code`` lines of its fenced blocks and the other ``text``, down to the next heading of any level."""

    level: int
    title: str
    text: str
    code: list[str]


def sections(name: str) -> list[Section]:
    found: list[Section] = []
    fenced = False
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        heading = re.fullmatch(r"(#+) (.+)", line)
        if line.startswith("```"):
            fenced = not fenced
        elif fenced:
            found[-1].code.append(line)
        elif heading:
            found.append(Section(len(heading[1]), heading[2], "", []))
        else:
            found[-1] = found[-1]._replace(text=found[-1].text + line + "\n")
    return found


def in_both(facts: Callable[[Section], object], but: tuple[str, ...] = ()) -> tuple[dict[str, object], dict[str, object]]:
    """English title → ``facts`` of the section, of the English and of the Korean README."""
    pairs = [pair for pair in zip(sections(ENGLISH), sections(KOREAN), strict=True) if pair[0].title not in but]
    return {ours.title: facts(ours) for ours, _ in pairs}, {ours.title: facts(theirs) for ours, theirs in pairs}


def figures(text: str) -> list[str]:
    return sorted(figure.lstrip("0") for figure in FIGURE.findall(text))  # .034 is 0.034


def names(text: str) -> list[str]:
    return sorted({" ".join(name.split()) for name in re.findall(r"`([^`]+)`", text)})


def rows(section: Section) -> list[list[str]]:
    return [CELL.split(line) for line in section.text.splitlines() if line.startswith("|")]


def links(section: Section) -> list[str]:
    return [target for target in LINK.findall(section.text) if target not in (ENGLISH, KOREAN, TREE_LINK)]


def anchors(name: str) -> set[str]:
    """What a link to a heading of the file may have after #, as GitHub makes it."""
    headings = re.findall(r"^#+ (.+)$", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_each_language_leads_to_the_other() -> None:
    """Directly under the title, in a paragraph of its own; the Korean section on the files leads to the English listing."""
    assert sections(ENGLISH)[0].text.startswith(f"\n[한국어]({KOREAN})\n\n")
    assert sections(KOREAN)[0].text.startswith(f"\n[English]({ENGLISH})\n\n")
    place = [section.title for section in sections(ENGLISH)].index(TREE)
    assert TREE_LINK in sections(KOREAN)[place].text


def test_the_headings_have_the_same_levels() -> None:
    """In the same order; no section is missing, none added."""
    assert [section.level for section in sections(KOREAN)] == [section.level for section in sections(ENGLISH)]


def test_the_commands_are_the_same() -> None:
    """The lines of the fenced blocks, but for their comments and the listing of files."""
    ours, theirs = in_both(lambda section: [line.partition("#")[0].rstrip() for line in section.code], but=(TREE,))
    assert theirs == ours
    assert any(ours.values())


def test_the_tables_hold_the_same_figures_and_names() -> None:
    """Row by row and cell by cell: the numbers, and everything in backticks."""
    ours, theirs = in_both(lambda section: [[(figures(cell), names(cell)) for cell in row] for row in rows(section)])
    assert theirs == ours
    assert any(ours.values())


def test_the_sentences_hold_the_same_figures_and_names() -> None:
    """Section by section, in whatever order a language says them."""
    ours, theirs = in_both(lambda section: (figures(section.text), names(section.text)))
    assert theirs == ours


def test_the_links_are_the_same() -> None:
    """Links and images of a section have the same targets in the same order, but for the links between the languages."""
    ours, theirs = in_both(links)
    assert theirs == ours
    assert any(ours.values())


@pytest.mark.parametrize("name", [ENGLISH, KOREAN])
def test_no_link_leads_nowhere(name: str) -> None:
    """Every relative link names a file that exists and, after #, one of its headings."""
    targets = [target for section in sections(name) for target in LINK.findall(section.text) if "://" not in target]
    places = [(file or name, anchor) for file, _, anchor in (target.partition("#") for target in targets)]
    assert [file for file, _ in places if not (ROOT / file).is_file()] == []
    assert [f"{file}#{anchor}" for file, anchor in places if anchor and anchor not in anchors(file)] == []
