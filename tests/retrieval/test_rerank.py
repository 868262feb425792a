from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from ingest.errors import ModelUnavailable
from retrieval.protocols import Vectors
from retrieval.rerank import CrossReader, Reader, in_bytes, interaction, reader_named
from tests.retrieval.made import HashEmbedder, prose

CHUNKS = [
    prose("a.md", "Heron", "Herons wade."),
    prose("b.md", "Owl", "Owls hoot."),
    prose("c.md", "Crow", "Crows caw."),
]


class Counting(HashEmbedder):
    """Counts the texts that it reads."""

    read = 0

    def states(self, texts: Sequence[str]) -> Iterator[Vectors]:
        self.read += len(texts)
        return super().states(texts)


def test_the_reader_reads_a_chunk_once_and_keeps_the_newest() -> None:
    embedder = Counting()
    reader = Reader(embedder, kept=2)
    first, second, third = ({c.id: c} for c in CHUNKS)
    for chunk in (first, second, first, third, first):
        reader.vectors(chunk)
    assert embedder.read == 3
    reader.vectors(second)
    assert embedder.read == 4


def test_what_was_read_stays_for_the_library_that_is_opened_next() -> None:
    assert reader_named(None) is reader_named(None)


def test_likeness_and_vectors_come_from_one_reading() -> None:
    embedder = Counting()
    reader = Reader(embedder)
    chunks = {c.id: c for c in CHUNKS}
    reader.vectors(chunks)
    reader.question("What do owls do?")
    assert list(reader.likeness("What do owls do?", chunks)) == list(chunks)
    assert embedder.read == len(CHUNKS) + 1


def test_the_reader_sees_a_chunks_place_with_its_text() -> None:
    chunk = CHUNKS[0]
    found = Reader(HashEmbedder()).vectors({chunk.id: chunk})[chunk.id]
    assert found @ HashEmbedder().embed([f"{chunk.header}\n{chunk.text}"])[0] > 0.99


def test_a_sentence_that_answers_counts_in_a_chunk_about_something_else() -> None:
    about = "Herons wade in shallow water and nest in tall trees beside rivers, lakes, ponds, marshes and estuaries. "
    answers, not_at_all = prose("a.md", "Birds", about * 3 + "Owls hoot."), prose("b.md", "Birds", about * 3)
    likeness = Reader(HashEmbedder()).likeness("owls hoot", {c.id: c for c in (answers, not_at_all)})
    assert likeness[answers.id] > likeness[not_at_all.id] + 0.3


def test_bytes_keep_a_cosine() -> None:
    states = np.random.default_rng(0).normal(size=(40, 384)).astype(np.float32)
    unit = states / np.linalg.norm(states, axis=1, keepdims=True)
    exact = (unit[:10] @ unit.T).max(axis=1).mean()
    assert interaction(in_bytes(states[:10]), in_bytes(states)) == pytest.approx(exact, abs=0.005)


def test_nothing_to_compare_is_no_likeness() -> None:
    nothing = np.zeros((0, 4), np.int8)
    assert interaction(nothing, np.ones((2, 4), np.int8)) == interaction(np.ones((2, 4), np.int8), nothing) == 0
    chunk = CHUNKS[0]
    assert Reader(HashEmbedder()).likeness("", {chunk.id: chunk}) == {chunk.id: 0.0}


@pytest.mark.slow
def test_a_cross_encoder_from_a_folder_scores_between_0_and_1(tmp_path: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    words = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "owls", "hoot"])}
    tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(tmp_path)
    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    BertForSequenceClassification(BertConfig(vocab_size=len(words), num_labels=1, **size)).save_pretrained(tmp_path)
    chunks = {c.id: c for c in CHUNKS}
    likeness = CrossReader(str(tmp_path), HashEmbedder()).likeness("owls hoot", chunks)
    assert list(likeness) == list(chunks)
    assert all(0 < score < 1 for score in likeness.values())


def test_a_cross_encoder_that_is_nowhere_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    chunk = CHUNKS[0]
    with pytest.raises(ModelUnavailable, match="drop `--reranker`"):
        CrossReader("nobody/nothing", HashEmbedder()).likeness("owls", {chunk.id: chunk})
