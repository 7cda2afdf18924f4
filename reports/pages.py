"""What every page is made with: templates that escape everything, the style sheet, and a content-security policy that lets nothing in or out."""

import base64
import hashlib
from functools import cache

import jinja2

from reports.report_texts import TEMPLATES


@cache
def environment() -> jinja2.Environment:
    """The templates; every text that they are given is escaped."""
    return jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)


def style_sheet() -> str:
    """The pages' CSS."""
    return (TEMPLATES / "report.css").read_text(encoding="utf-8")


def script() -> str:
    """The report's JavaScript."""
    return (TEMPLATES / "report.js").read_text(encoding="utf-8")


def csp(css: str, js: str = "") -> str:
    """A policy under which exactly this inline style sheet and script work, pictures lie inside the page, and nothing is fetched from anywhere."""
    scripts = f"script-src {_hashed(js)}; " if js else ""
    return f"default-src 'none'; img-src data:; style-src {_hashed(css)}; {scripts}base-uri 'none'; form-action 'none'"


def _hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
