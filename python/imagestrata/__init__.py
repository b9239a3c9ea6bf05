"""Sort a collection of images into visual topics, and draw samples from every topic."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

# Programs that want to log steps and warnings add their own handlers.
logging.getLogger(__name__).addHandler(logging.NullHandler())

#: Each public name and the module that defines it. The module is imported on first use, so that
#: importing the package is fast and does not import torch.
_PUBLIC = {
    "ImagestrataError": "errors",
    "MissingWeightsError": "errors",
    "scan_images": "corpus.scan",
    "relink": "corpus.relink",
    "extract_frames": "corpus.video",
    "crop_faces": "corpus.faces",
    "draw_demo_corpus": "demo.corpus",
    "list_encoders": "encoders.registry",
    "register_encoder": "encoders.registered",
    "embed_images": "embeddings.embed",
    "Embeddings": "embeddings.embeddings",
    "reduce_embeddings": "embeddings.reduce",
    "ModelServer": "text.server",
    "LocalModel": "text.local",
    "describe_images": "text.describe",
    "embed_text": "text.embed",
    "Rekognition": "text.rekognition",
    "read_text": "text.read",
    "tag_images": "text.tags",
    "tag_frequencies": "text.tags",
    "fine_tune": "finetune.fine_tune",
    "FineTunedModel": "finetune.model",
    "predict_labels": "finetune.predict",
    "calibrate_thresholds": "finetune.predict",
    "tune_model": "finetune.tune",
    "explain_labels": "finetune.explain",
    "label_ratings": "finetune.rules",
    "cluster_images": "clustering.cluster",
    "edit_clusters": "clustering.edit",
    "Clustering": "clustering.clustering",
    "IterativeKMeans": "clustering.iterative",
    "SingleKMeans": "clustering.single",
    "DensityClustering": "clustering.density",
    "sample_pairs": "sampling.pairs",
    "export_pairs": "annotation.pairs",
    "judge_pairs": "validation.judge",
    "read_pairs": "annotation.pairs",
    "serve_forms": "annotation.collecting.serve",
    "export_answers": "annotation.collecting.collected",
    "FormServer": "annotation.collecting.serve",
    "export_test": "annotation.cluster_test",
    "read_test": "annotation.cluster_test",
    "ClusterTest": "annotation.cluster_test",
    "agreement": "annotation.agreement",
    "consensus": "annotation.consensus",
    "next_pairs": "validation.next_pairs",
    "propose_pairs": "validation.improve",
    "improve_clusters": "validation.improve",
    "Improvement": "validation.improve",
    "score_clustering": "validation.score",
    "suggest_threshold": "validation.threshold",
    "tune_clusters": "validation.tune",
    "best_clustering": "validation.tuning",
    "Tuning": "validation.tuning",
    "cluster_stability": "validation.stability",
    "Stability": "validation.stability",
    "compare_clusterings": "validation.comparison",
    "Comparison": "validation.comparison",
    "sweep_clusters": "validation.sweep",
    "cluster_confidence": "validation.confidence",
    "compare_tags": "validation.tag_comparison",
    "TagComparison": "validation.tag_comparison",
    "sample_images": "sampling.sample",
    "sample_training": "sampling.training",
    "assign_annotators": "sampling.assign",
    "reassign": "sampling.reassign",
    "costs": "share.costs",
    "export_packets": "annotation.packets",
    "read_ratings": "annotation.ratings",
    "rating_means": "ratings.estimates",
    "rating_gaps": "ratings.estimates",
    "rating_model": "ratings.model",
    "rating_effects": "ratings.model",
    "RatingModel": "ratings.model",
    "rating_weights": "ratings.estimates",
    "rating_table": "ratings.table",
    "response_bounds": "ratings.response",
    "response_rates": "ratings.response",
    "response_weights": "ratings.response",
    "link_posts": "posts.link",
    "topic_model": "posts.model",
    "topic_effects": "posts.model",
    "TopicModel": "posts.model",
    "read_posts": "posts.read",
    "share_model": "posts.engagement",
    "ShareModel": "posts.engagement",
    "topic_odds": "posts.odds",
    "export_network": "posts.network",
    "topic_prevalence": "posts.prevalence",
    "topic_gaps": "posts.gaps",
    "label_shares": "labels.shares",
    "label_model": "labels.model",
    "LabelModel": "labels.model",
    "score_labels": "labels.score",
    "LabelScores": "labels.score",
    "plan_labels": "labels.plan",
    "find_images": "explore.find",
    "cluster_keywords": "explore.keywords",
    "propose_names": "explore.propose",
    "map_images": "explore.map",
    "plot_map": "explore.map",
    "cluster_metadata": "explore.metadata",
    "group_clusters": "explore.themes",
    "plot_themes": "explore.tree",
    "coding_sheet": "annotation.coding",
    "propose_exclusions": "annotation.screening",
    "export_labels": "annotation.labels",
    "read_labels": "annotation.labels",
    "image_gallery": "explore.gallery",
    "share_bundle": "share.bundle",
    "methods_paragraph": "share.methods",
    "plot_montage": "explore.montage",
    "plot_trace": "explore.trace",
    "plot_training": "explore.training",
    "plot_confusion": "explore.training",
    "plot_mistakes": "explore.mistakes",
    "plot_tuning": "explore.tuning",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module(".provenance", __name__).version()
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_PUBLIC[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
