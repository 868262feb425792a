"""What is text, and how it is spelt."""

from __future__ import annotations

import random

import pytest

from ingest.decode import decode, looks_binary

TEXT = "# Héron\n\nThe heron stands at the pond, and waits.\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("wide", [False, True])
def test_text_is_read_in_the_encoding_it_looks_like(encoding: str, wide: bool) -> None:
    encoding = encoding.replace("16", "32") if wide else encoding
    assert not looks_binary(TEXT.encode(encoding))
    assert decode(TEXT.encode(encoding)) == TEXT


def test_compressed_data_is_binary_even_where_no_nul_is_among_it() -> None:
    assert looks_binary(random.Random(1).randbytes(8_192).replace(b"\0", b""))


@pytest.mark.parametrize("encoding", ["shift-jis", "euc-jp", "iso2022-jp", "gb18030", "koi8-r"])
def test_what_another_code_page_spells_is_text(encoding: str) -> None:
    line = "Цапля стоит у пруда.\n" if encoding == "koi8-r" else "鷺が池に立つ。\n"
    assert not looks_binary((line * 50).encode(encoding))


def test_a_character_cut_by_the_end_of_the_head_makes_no_difference() -> None:
    assert not looks_binary(b"\x01\x02" * 50 + "é".encode()[:1])
