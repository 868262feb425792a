"""Sections, their sizes, and the names of headings, directives and links."""

from __future__ import annotations

from ingest.chunk import chunk
from tests.ingest.conftest import Make

LONG = "\n\n".join(
    f"Paragraph {i} says something that takes about a hundred characters to say, again and again." for i in range(40)
)


def test_a_section_is_a_chunk_under_the_trail_of_its_headings(document: Make) -> None:
    chunks = chunk(document("a.md", "# Top\n\nintro\n\n## Sub `code()`\n\ntext\n\nOther\n-----\n\nlast"))
    assert [one.header for one in chunks] == ["a.md > Top", "a.md > Top > Sub code()", "a.md > Top > Other"]
    assert chunks[1].defines == ("sub code", "code")


def test_a_bare_heading_shares_the_chunk_of_the_one_below_and_both_are_defined(document: Make) -> None:
    (one,) = chunk(document("a.md", "# Top\n\n## Sub\n\ntext"))
    assert {"top", "sub"} <= set(one.defines)
    assert one.title == "Sub"


def test_long_sections_are_cut_between_paragraphs(document: Make) -> None:
    chunks = chunk(document("a.md", f"# Top\n\n{LONG}"))
    assert len(chunks) > 2
    assert all(len(one.text) <= 1200 and one.header == "a.md > Top" for one in chunks)
    assert all(one.text.startswith(("# Top", "Paragraph")) and one.text.endswith("again.") for one in chunks)


def test_a_long_paragraph_is_cut_at_whole_lines(document: Make) -> None:
    chunks = chunk(document("a.txt", "\n".join(f"line {i} of one long paragraph without a break" for i in range(100))))
    assert len(chunks) > 2
    assert all(one.text.startswith("line") and one.text.endswith("break") for one in chunks)


def test_fenced_code_stays_whole_and_its_hashes_are_no_headings(document: Make) -> None:
    code = "```sh\n" + "# not a heading\n\nrun --it\n" * 60 + "```"
    chunks = chunk(document("a.md", f"# Top\n\n{LONG[:1100]}\n\n{code}\n"))
    assert chunks[-1].text == code


def test_a_label_and_a_setting_above_a_heading_belong_to_it(document: Make) -> None:
    text = (
        "Settings\n========\n\nintro\n\n.. _grace-label:\n\n.. setting:: GRACE\n\n``GRACE``\n---------\n\nDefault: 3\n"
    )
    chunks = chunk(document("a.rst", text))
    assert chunks[1].text.startswith(".. _grace-label:")
    assert {"GRACE", "grace-label", "grace"} <= set(chunks[1].defines)


def test_directives_define_names_in_their_module_and_class(document: Make) -> None:
    text = "Ref\n===\n\n.. module:: heron.jobs\n\n.. class:: Purge(days)\n\n"
    text += "    Purges.\n\n    .. method:: run()\n\n        Runs.\n"
    defines = {name for one in chunk(document("a.rst", text)) for name in one.defines}
    assert {"heron.jobs", "heron.jobs.Purge", "Purge", "heron.jobs.Purge.run", "Purge.run", "run"} <= defines


def test_roles_and_links_mention_labels_pages_and_names(document: Make) -> None:
    text = "T\n=\n\nSee :ref:`here <purge-label>`, :doc:`/topics/purge`, :meth:`~heron.Purge.run`, :setting:`GRACE`.\n"
    assert {"purge-label", "topics/purge", "heron.Purge.run", "Purge.run", "run", "GRACE"} <= set(
        chunk(document("a.rst", text))[0].mentions
    )
    text = "See [the guide](../guide/start.md#first-steps), [out](https://example.org/x.md) and [[Other Page|o]]."
    found = chunk(document("docs/ref/a.md", text))[0].mentions
    assert {"the guide", "guide/start", "start.md", "first steps", "out", "other page"} <= set(found)
    assert "x.md" not in found


def test_the_first_chunk_defines_the_document(document: Make) -> None:
    defines = chunk(document("docs/purge_jobs.md", "# Purging\n\nx\n\n# Second\n\ny"))[0].defines
    assert {"purge jobs", "purge_jobs.md", "docs/purge_jobs", "purging"} <= set(defines)
    assert "install" in chunk(document("docs/install/README.md", "text"))[0].defines
    assert "st louis" in chunk(document("St. Louis", "A city."))[0].defines


def test_prose_mentions_phrases_but_not_what_it_defines(document: Make) -> None:
    (one,) = chunk(document("a.md", "# Ada Lovelace\n\nAda Lovelace met Charles Babbage's friends. Don't ask."))
    assert "charles babbage" in one.mentions
    assert not {"ada lovelace", "don t"} & set(one.mentions)
