"""AsciiDoc, MDX, and what in Markdown and reStructuredText names things beside headings."""

from __future__ import annotations

import time

import pytest

from ingest.chunk import chunk
from ingest.types import Chunk
from tests.ingest.conftest import Make


def only(chunks: list[Chunk]) -> Chunk:
    (one,) = chunks
    return one


def test_asciidoc_has_sections_and_its_listings_have_no_headings(document: Make) -> None:
    listing = "[source,sh]\n----\n== no heading\n\nAda Lovelace\n----"
    text = f"= Station\n\nintro\n\n== Gates\n\n{listing}\n\nWeirs\n-----\n\nlast\n"
    chunks = chunk(document("a.adoc", text))
    assert [one.header for one in chunks] == [
        "a.adoc > Station",
        "a.adoc > Station > Gates",
        "a.adoc > Station > Weirs",
    ]
    assert "ada lovelace" not in chunks[1].mentions


def test_asciidoc_anchors_and_attributes_define_what_references_mention(document: Make) -> None:
    text = (
        ":retention-days: 30\n:toc:\n\n[[grace-period]]\n== Grace\n\ntext [#night-gate]#here# and anchor:low_water[]\n"
    )
    first, second = chunk(document("a.adoc", text))
    assert {"retention-days", "retention days"} <= set(first.defines)
    assert "toc" not in first.defines
    assert second.text.startswith("[[grace-period]]")
    assert {"grace", "grace-period", "grace period", "night-gate", "low_water"} <= set(second.defines)
    text = "See <<grace-period,the grace>>, xref:../ops/purge.adoc#dry-runs[dry runs], {retention-days} and "
    text += "link:https://x.org/a.html[out]."
    found = only(chunk(document("docs/guide/b.adoc", text))).mentions
    assert {"grace-period", "the grace", "purge.adoc", "ops/purge", "dry-runs", "retention-days", "out"} <= set(found)
    assert "a.html" not in found


def test_mdx_imports_and_components_are_names_and_no_phrases(document: Make) -> None:
    text = "import Tabs from '@theme/Tabs'\nimport {\n  PondMap,\n} from '../maps/PondMap'\n\n"
    text += "export const gateCount = 2\n\n# Ponds\n\n<Tabs.Item>By Mill Pond</Tabs.Item>\n"
    chunks = chunk(document("docs/guide/a.mdx", text))
    assert chunks[-1].title == "Ponds"
    assert "gateCount" in chunks[0].defines
    assert {"Tabs", "PondMap", "@theme/Tabs", "maps/PondMap"} <= set(chunks[0].mentions)
    assert {"Tabs.Item", "by mill pond"} <= set(chunks[-1].mentions)
    assert not {"tabs", "pondmap", "pond map", "from"} & {name for one in chunks for name in one.mentions}


@pytest.mark.parametrize("text", [
    '---\ntitle: "Keeping `records`"\nslug: /guide/keeping-it\naliases: [Old Name]\ntags:\n  - water level\n---\n\nx',
    '+++\ntitle = "Keeping `records`"\nslug = "/guide/keeping-it"\naliases = ["Old Name"]\ntags = ["water level"]\n+++',
])  # fmt: skip
def test_front_matter_names_the_page_and_mentions_its_subjects(text: str, document: Make) -> None:
    one = only(chunk(document("a.md", text)))
    assert {"keeping records", "records", "guide/keeping-it", "keeping it", "old name"} <= set(one.defines)
    assert "water level" in one.mentions


def test_front_matter_that_is_no_yaml_is_still_no_heading(document: Make) -> None:
    chunks = chunk(document("a.md", "---\ntitle: [unclosed\nkey: value\n---\n# Real\n\ntext"))
    assert [one.title for one in chunks] == ["a.md", "Real"]


def test_markdown_anchors_are_names(document: Make) -> None:
    text = "# Top {#the-top}\n\nintro\n\n<a id=\"night-gate\"></a>\n\n## Gate\n\nfoot <a name='foot-note'>x</a>\n"
    first, second = chunk(document("a.md", text))
    assert {"top", "the-top", "the top"} <= set(first.defines)
    assert second.text.startswith("<a id")
    assert {"gate", "night-gate", "night gate", "foot-note"} <= set(second.defines)


def test_reference_links_lead_where_their_definition_says(document: Make) -> None:
    text = f"See [the guide][G], [jobs][] and [^1].\n\n{'word ' * 400}\n\n"
    text += "[g]: ../guide/start.md#dry-runs\n[jobs]: jobs.md\n[^1]: A note\n"
    found = chunk(document("docs/ref/a.md", text))[0].mentions
    assert {"the guide", "guide/start", "start.md", "dry runs", "jobs", "ref/jobs"} <= set(found)
    assert "1" not in found


def test_a_wiki_link_mentions_the_page_and_its_section(document: Make) -> None:
    assert {"mill pond", "upper gate"} <= set(
        only(chunk(document("a.md", "See [[Mill Pond#Upper gate|it]]."))).mentions
    )


def test_sphinx_directives_define_what_their_roles_mention(document: Make) -> None:
    text = (
        "T\n=\n\n.. confval:: heron.days-kept\n\n   a\n\n.. envvar:: HERON_DB\n\n   b\n\n"
        ".. option:: --dry-run, -n\n\n   c\n\n.. setting:: GRACE\n\n.. _purge-label:\n\n"
        ".. glossary::\n\n   Dry run\n      Nothing.\n\n   Grace period\n      Days.\n"
    )
    defines = {name for one in chunk(document("a.rst", text)) for name in one.defines}
    used = ":confval:`heron.days-kept` :envvar:`HERON_DB` :option:`--dry-run` :setting:`GRACE` "
    used += ":ref:`x <purge-label>` :term:`Dry run` :term:`grace period`"
    wanted = {"heron.days-kept", "HERON_DB", "--dry-run", "GRACE", "purge-label", "dry run", "grace period"}
    assert wanted <= defines
    assert wanted <= set(only(chunk(document("b.rst", f"T\n=\n\n{used}\n"))).mentions)


N = 100_000
HOSTILE = {
    "headings": "# h\n" * N,
    "sections": "== h\n\ntext\n\n" * N,
    "underlined": "hhh\n===\n\n" * N,
    "spaces in a heading": "# x" + " " * N + "x",
    "marks in a heading": "== x" + " =" * N + "x",
    "tag in a heading": "# <a" + "a" * N,
    "tags": "<a " * N,
    "anchors": "[[" + "a," * N,
    "brackets": "[a]: b\n\n" + "[" * N,
    "references": "[a]: b\n\n" + "[a]" * N,
    "braces": "{#" * N,
    "xrefs": "xref:" * N + "<<a," * N,
    "attributes": ":" + "a" * N + "\n" + ":a-b: \n" * N,
    "imports": "import '" * N + "\nexport const " * N,
    "components": "<" + "A." * N,
    "listings": "----\n" * N,
    "roles": ":a:`" + " " * N + "\n" + "=" * N,
}


@pytest.mark.parametrize("suffix", ["md", "mdx", "adoc", "rst"])
@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_markup_costs_no_more_than_its_length(case: str, suffix: str, document: Make) -> None:
    begun = time.process_time()
    chunks = chunk(document(f"a.{suffix}", HOSTILE[case]))
    assert time.process_time() - begun < 20
    assert max(len(one.text) for one in chunks) <= 4_000
