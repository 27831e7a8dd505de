"""Sections that were found, in the form of Dify's retriever_resources and of a retrieval node's result."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from ...tokens import count
from .ranking import Hit
from .sections import Section


class Segment(NamedTuple):
    """What Dify calls a section, with the document and the data set that it stands in."""

    dataset_id: str
    dataset_name: str
    document_id: str
    document_name: str
    segment_id: str


def scores(hits: Sequence[Hit]) -> list[float]:
    """Scores from 0 to 1: the best one's coverage, the others in proportion."""
    if not hits:
        return []
    best = hits[0].score
    return [round(min(1.0, hits[0].coverage) * hit.score / best, 4) for hit in hits]


def retriever_resources(
    hits: Sequence[Hit], source: Literal["api", "workflow"], segment_of: Callable[[Section], Segment]
) -> list[dict[str, Any]]:
    """What `message_end` tells; a chatflow's retrieval also counts words and hits, a chat app's does not."""
    resources: list[dict[str, Any]] = []
    for position, (hit, score) in enumerate(zip(hits, scores(hits), strict=True), start=1):
        section, segment = hit.section, segment_of(hit.section)
        flow = source == "workflow"
        resources.append(
            {
                "position": position,
                "dataset_id": segment.dataset_id,
                "dataset_name": segment.dataset_name,
                "document_id": segment.document_id,
                "document_name": segment.document_name,
                "data_source_type": "upload_file",
                "segment_id": segment.segment_id,
                "retriever_from": source,
                "score": score,
                "hit_count": 1 if flow else None,
                "word_count": count(section.text) if flow else None,
                "segment_position": section.number + 1 if flow else None,
                "index_node_hash": hashlib.sha256(section.text.encode()).hexdigest() if flow else None,
                "content": section.text,
                "page": None,
                "doc_metadata": None,
                "title": None,
                "files": None,
                "summary": None,
            }
        )
    return resources


def node_result(resources: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The `result` of a knowledge-retrieval node."""
    return [
        {
            "metadata": {
                "_source": "knowledge",
                "position": resource["position"],
                "dataset_id": resource["dataset_id"],
                "dataset_name": resource["dataset_name"],
                "document_id": resource["document_id"],
                "document_name": resource["document_name"],
                "data_source_type": resource["data_source_type"],
                "segment_id": resource["segment_id"],
                "retriever_from": resource["retriever_from"],
                "score": resource["score"],
                "segment_hit_count": resource["hit_count"],
                "segment_word_count": resource["word_count"],
                "segment_position": resource["segment_position"],
                "segment_index_node_hash": resource["index_node_hash"],
                "doc_metadata": resource["doc_metadata"],
            },
            "title": resource["document_name"],
            "files": resource["files"],
            "content": resource["content"],
            "summary": resource["summary"],
        }
        for resource in resources
    ]
