"""Trains the static embedding model on pairs of texts: `python -m retrieval.training.static PAIRS... --out FOLDER`.

It starts from the distilled table. A text is the sum of its tokens' vectors, as `retrieval.embed_static` has it, and
each pair is told from the other pairs of its batch (InfoNCE, van den Oord et al. 2018), in both directions. A batch is
of one kind of pair, so that the others in it are as hard as they come. What comes out has the same tokens and the same
size; a vector is kept in bytes, with one scale.
"""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import cast

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy, embedding_bag, normalize

from retrieval import weights
from retrieval.embed_static import StaticEmbedder, Tokens, in_bytes, table_of

LONGEST = 192
"""Tokens of a text that are read."""

TELLING = 25
"""Characters of a line that hardly stands in two functions by chance."""

Kinds = dict[str, tuple["Side", "Side"]]
"""The pairs of each kind: left sides, right sides."""

Bag = tuple[Tensor, Tensor]
"""Texts as `embedding_bag` takes them: their tokens end to end, and where each begins."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How it is trained. `rate` is Adam's for the vectors, `weight_rate` for the tokens' weights, `scale` the inverse
    temperature."""

    steps: int = 700
    batch: int = 1024
    rate: float = 4e-3
    weight_rate: float = 1e-2
    scale: float = 20.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Side:
    """One side of all pairs of a kind: tokens end to end, and where each text begins."""

    tokens: Tokens
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[Tokens]) -> Side:
        """Join texts, each cut to `LONGEST`."""
        cut = [text[:LONGEST] for text in texts]
        return cls(np.concatenate(cut), np.cumsum([0, *map(len, cut)], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def bag(self, rows: NDArray[np.int64]) -> Bag:
        """Return the texts at these places."""
        parts = [self.tokens[self.starts[row] : self.starts[row + 1]] for row in rows]
        offsets = np.cumsum([0, *map(len, parts[:-1])], dtype=np.int64)
        return torch.from_numpy(np.concatenate(parts).astype(np.int64)), torch.from_numpy(offsets)


class Model(torch.nn.Module):
    """A table of vectors and a weight a token, of which the logarithm is trained."""

    def __init__(self, table: NDArray[np.float32]) -> None:
        super().__init__()
        self.table = torch.nn.Parameter(torch.from_numpy(table.copy()))
        self.weight = torch.nn.Parameter(torch.zeros(len(table)))

    def forward(self, tokens: Tensor, offsets: Tensor) -> Tensor:
        """Return the texts' unit vectors, float32 (n, dim)."""
        weights = self.weight[tokens].exp()
        return normalize(embedding_bag(tokens, self.table, offsets, mode="sum", per_sample_weights=weights))

    def merged(self) -> NDArray[np.float32]:
        """Return the table with each vector multiplied by its weight, float32 (tokens, dim)."""
        return cast("NDArray[np.float32]", (self.table * self.weight.exp()[:, None]).detach().numpy().copy())


def read(paths: Sequence[Path], known: Collection[str] = ()) -> Kinds:
    """Cut the pairs of files that `retrieval.training.pairs` wrote into tokens, leaving out those that `is_known`."""
    embedder = StaticEmbedder(weights.DISTILLED)
    found: dict[str, tuple[list[Tokens], list[Tokens]]] = {}
    for path in paths:
        with path.open(encoding="utf-8") as file:
            while batch := [json.loads(line) for line in islice(file, 4096)]:
                pairs = [pair for pair in batch if not is_known(pair, known)]
                sides = [embedder.cut([embedder.words(pair[side]) for pair in pairs]) for side in ("left", "right")]
                for pair, left, right in zip(pairs, *sides, strict=True):
                    if len(left) and len(right):
                        lefts, rights = found.setdefault(pair["kind"], ([], []))
                        lefts.append(left)
                        rights.append(right)
    return {kind: (Side.of(lefts), Side.of(rights)) for kind, (lefts, rights) in found.items()}


def telling_lines(corpus: Path) -> set[str]:
    """Return the longer lines of a dataset's texts, which no pair may share: what is measured on is not trained on."""
    with corpus.open(encoding="utf-8") as file:
        return {line.strip() for record in file for line in json.loads(record)["text"].splitlines() if _tells(line)}


def is_known(pair: dict[str, str], known: Collection[str]) -> bool:
    """Whether a pair is, as a whole or for the most part, from the texts with these `telling_lines`."""
    if pair["left"].strip() in known:
        return True
    lines = [line.strip() for line in pair["right"].splitlines() if _tells(line)]
    return sum(line in known for line in lines) * 2 > len(lines)


def _tells(line: str) -> bool:
    return len(line.strip()) >= TELLING and re.search(r"\w", line) is not None


def batches(kinds: Kinds, settings: Settings) -> Iterator[tuple[Bag, Bag]]:
    """Yield batches of one kind each, a kind as often as the root of its number of pairs has it."""
    draw = np.random.default_rng(settings.seed)
    names = [kind for kind in sorted(kinds) if len(kinds[kind][0]) >= settings.batch]
    share = np.array([math.sqrt(len(kinds[name][0])) for name in names])
    for _ in range(settings.steps):
        left, right = kinds[names[draw.choice(len(names), p=share / share.sum())]]
        rows = draw.choice(len(left), settings.batch, replace=False)
        yield left.bag(rows), right.bag(rows)


def train(model: Model, kinds: Kinds, settings: Settings, report: Callable[[int, float], None]) -> None:
    """Train in place. `report` is given the step and the mean loss every 50 steps."""
    groups = [{"params": [model.table], "lr": settings.rate}, {"params": [model.weight], "lr": settings.weight_rate}]
    optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99))
    # Up in 50 steps, then down to nothing in a straight line.
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / 50, 1 - step / (settings.steps + 1))
    )
    itself = torch.arange(settings.batch)
    losses = []
    for step, (left, right) in enumerate(batches(kinds, settings), 1):
        scores = settings.scale * model(*left) @ model(*right).T
        loss = (cross_entropy(scores, itself) + cross_entropy(scores.T, itself)) / 2
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % 50 == 0:
            report(step, float(np.mean(losses[-50:])))


@click.command()
@click.argument("pairs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The model's folder.")
@click.option("--without", type=click.Path(exists=True, path_type=Path), help="A corpus.jsonl to keep out of it.")
@click.option("--threads", default=1, show_default=True)
def main(pairs: tuple[Path, ...], out: Path, without: Path | None, threads: int) -> None:
    """Train on PAIRS and write the model to --out: model.safetensors and tokenizer.json."""
    from safetensors.numpy import save_file

    torch.set_num_threads(threads)
    source = weights.require(weights.DISTILLED)
    began = table_of(source)
    settings = Settings()
    kinds = read(pairs, telling_lines(without) if without else ())
    for kind, (left, _) in sorted(kinds.items()):
        click.echo(f"{len(left):>8,} {kind}")
    model = Model(began)
    train(model, kinds, settings, lambda step, loss: click.echo(f"{step:>8} {loss:.3f}"))
    out.mkdir(parents=True, exist_ok=True)
    save_file(in_bytes(model.merged()), out / "model.safetensors")
    shutil.copyfile(source / "tokenizer.json", out / "tokenizer.json")


if __name__ == "__main__":
    main()
