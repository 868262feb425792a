"""How the shipped static model was made. Nothing here runs in a search.

    python -m retrieval.training.fetch packages       # the packages of sources.tsv: wheels for code, archives for pages
    python -m retrieval.training.pairs packages pairs.jsonl
    python -m retrieval.training.static pairs.jsonl --out static-hoplite-256 --without DATASET/corpus.jsonl

545,000 pairs of 192 archives, all under permissive licences, are read in about six minutes of one core and trained on
in two. The same table comes out in kind, not in bytes: sums of floats differ from one processor to another. `--without`
keeps out every pair that is in a dataset's corpus, fewer than 500 of these. MRR on CoSQA's 500 dev questions went
from 24.2 to 39.6, recall@5 of the vectors alone from 53.8, 59.0 and 39.7 to 58.1, 63.5 and 41.9 on three multi-hop sets
of prose. Vectors in bytes lose 0.3 on the first of these and nothing elsewhere.
"""
