"""LlamaIndex: a workspace as a retriever, and its documents and nodes as documents of a workspace.

Importing this module imports `llama_index.core`, which takes more than a second; nothing else of Hoplite does.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from llama_index.core.callbacks import CallbackManager
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import (
    BaseNode,
    MetadataMode,
    NodeRelationship,
    NodeWithScore,
    QueryBundle,
    RelatedNodeInfo,
    TextNode,
)

from ingest.errors import UserError
from ingest.fetching.page_names import Names
from ingest.languages.recognise import language_of
from retrieval import sources
from retrieval.indexing import IndexReport, index
from retrieval.library import Library
from retrieval.protocols import Embedder
from retrieval.types import Hit, Scope, Source
from retrieval.workspace import Lock, Workspace, create

COLLECTION = "llama_index"
"""Where documents are shown that name no collection of their own."""

_COLLECTION_NAME = re.compile(r"[a-z0-9][\w-]{0,79}", re.ASCII)
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.I)
_PATHS = ("file_path", "file_name")
# A value stands on one line, whatever line ends it has inside; JSON writes all but these as escapes.
_LINE_ENDS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}


class HopliteRetriever(BaseRetriever):  # type: ignore[misc]  # LlamaIndex is not type-checked here
    """Retrieves from an open workspace: words, vectors and hops over names."""

    def __init__(
        self,
        library: Library,
        *,
        k: int = 8,
        hops: int | None = None,
        scope: Scope | None = None,
        rerank: bool = True,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        """`k`, `hops`, `scope` and `rerank` are `Library.search`'s. The library stays the caller's to close."""
        super().__init__(callback_manager=callback_manager)
        self._library = library
        self._k = k
        self._hops = hops
        self._scope = scope
        self._rerank = rerank

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """Return at most `k` chunks, best first. Scores are comparable within one call only."""
        found = self._library.search(
            query_bundle.query_str, k=self._k, hops=self._hops, scope=self._scope, rerank=self._rerank
        )
        return [
            NodeWithScore(node=_node(hit, self._library.source_of(hit.chunk.path)), score=hit.score)
            for hit in found.hits
        ]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        """Return what `_retrieve` does; the event loop goes on meanwhile."""
        return await asyncio.to_thread(self._retrieve, query_bundle)


def index_documents(
    documents: Sequence[BaseNode],
    workspace: Workspace,
    *,
    collection: str = COLLECTION,
    gone: Collection[str] = (),
    embedder: str | Embedder | None = None,
) -> IndexReport:
    """Index LlamaIndex documents or nodes, and forget those whose ids are `gone`; all others stay as they are.

    Each is kept in the workspace as a file, shown as `collection/path`: its `file_path`, else its id, without anything
    that could lead elsewhere. The id is what counts: a document of a known id takes the place of the earlier one, and
    one that did not change is not read again. Metadata becomes front matter, so that a title and keywords are names;
    keys that are kept from embedding are left out, and so is all metadata of code, which is indexed as code.

    The workspace is made where there is none, and must not be open as a library meanwhile. `embedder` is that of
    `retrieval.indexing.index`. Raises UserError for a collection's name that is none and for two documents of one id.
    """
    if not _COLLECTION_NAME.fullmatch(collection):
        raise UserError(f"{collection!r} names no collection: use lower-case letters, digits, - and _, such as notes.")
    given = {document.node_id: document for document in documents}
    if len(given) < len(documents):
        ids = [document.node_id for document in documents]
        twice = next(i for i in ids if ids.count(i) > 1)
        raise UserError(f"Two documents have the id {twice}. Give each an id of its own.")
    create(workspace.folder, workspace.base)
    with Lock(workspace):
        noted = sources.noted_in(workspace)
        mine = [source for source in noted if (source.kind, source.asked) == ("document", collection)]
        replaced = [source for source in mine if source.url in given]
        names = Names(source.prefix for source in noted if source.kind != "folder" and source not in replaced)
        moment = sources.now()
        texts = []
        for key, document in given.items():
            stem, suffix = _place(document, workspace)
            place = names.file(collection, stem, suffix, key)
            texts.append((Source(place, "document", key, collection, moment), _text(document, suffix)))
        places = {source.prefix for source, _ in texts}
        past = [source for source in mine if source.url in gone and source.url not in given]
        moved = [source for source in replaced if source.prefix not in places]
        fetched = sources.keep(texts, [*past, *moved], workspace)
    return index([], fetched=fetched, chosen=workspace.folder, embedder=embedder)


def _node(hit: Hit, source: Source | None) -> TextNode:
    """The chunk as a node, whose id is the chunk's and whose source is the document it came from."""
    chunk = hit.chunk
    metadata: dict[str, Any] = {
        "path": chunk.path,
        "start_line": chunk.start_line,
        "end_line": chunk.end_line,
        "header": chunk.header,
        "kind": chunk.kind,
        "via": list(hit.via),
        "names": list(chunk.defines),
    }
    if chunk.page:
        metadata["page"] = chunk.page
    unseen = [key for key in metadata if key != "header"]  # a model reads where the text stands, and the text
    origin = source.url if source is not None and source.kind == "document" else chunk.path
    return TextNode(
        id_=str(chunk.id),
        text=chunk.text,
        metadata=metadata,
        excluded_llm_metadata_keys=unseen,
        excluded_embed_metadata_keys=unseen,
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=origin)},
    )


def _place(document: BaseNode, workspace: Workspace) -> tuple[str, str]:
    """What a document calls itself, as a path without its suffix, and the suffix that its text is kept under.

    Text of a PDF is no PDF: whatever is not code is kept as Markdown.
    """
    own = next((str(document.metadata[key]) for key in _PATHS if document.metadata.get(key)), document.node_id)
    path = _SCHEME.sub("", own).replace("\\", "/")
    base = workspace.base.as_posix().rstrip("/") + "/"
    stem = path.removeprefix(base).strip("/") or "_"
    suffix = PurePosixPath(stem).suffix
    if suffix and (_is_code(suffix) or suffix.lower() == ".md"):
        return stem.removesuffix(suffix), suffix[1:]
    return stem, "md"


def _text(document: BaseNode, suffix: str) -> str:
    text: str = document.get_content(metadata_mode=MetadataMode.NONE)
    left_out = {*document.excluded_embed_metadata_keys, *_PATHS}
    shown = {key: value for key, value in document.metadata.items() if key not in left_out and value not in (None, "")}
    return _front_matter(shown) + text if shown and not _is_code(f".{suffix}") else text


def _is_code(suffix: str) -> bool:
    return language_of(f"_{suffix}", "")[0] == "code"


def _front_matter(metadata: Mapping[str, Any]) -> str:
    """Return metadata as YAML, a key a line; each value is JSON, which YAML reads as it is."""
    lines = [f"{_json(str(key))}: {_json(value)}" for key, value in metadata.items()]
    return "\n".join(["---", *lines, "---", "", ""])


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str).translate(_LINE_ENDS)
