"""Documents that speak of the code are held against it."""

import re
from pathlib import Path

from vitalrelay.adapters.inbound.http.problems import KINDS
from vitalrelay.settings import BARE, PREFIX, Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def settings_table() -> str:
    rows = ["| setting | default | |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        bare = str(field.validation_alias or "")
        setting = bare if bare in BARE else PREFIX + name.upper()
        default = "required" if field.is_required() else f"`{field.default}`"
        rows.append(f"| `{setting}` | {default} | {field.description} |")
    return "\n".join(rows)


def test_the_configuration_page_tells_every_setting_as_it_is():
    page = (DOCS / "configuration.md").read_text()

    assert settings_table() in page


def test_every_link_in_the_documents_leads_somewhere():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")]

    dead = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages
        for link in re.findall(r"\]\(([^)#:]+)[^)]*\)", page.read_text())
        if not (page.parent / link).exists()
    ]

    assert dead == []


def test_every_proof_that_the_guarantees_name_exists():
    page = (DOCS / "guarantees.md").read_text()

    missing = [path for path in re.findall(r"`(tests/[^`]+)`", page) if not (ROOT / path).exists()]

    assert missing == []


def test_the_problem_page_tells_every_problem_type():
    page = (DOCS / "problems.md").read_text()

    missing = [slug for slug, kind in KINDS.items() if f"| `{slug}` | {kind.status} |" not in page]

    assert missing == []
