"""The command ``imagestrata``, which runs one step, or all steps with ``run``.

Results go to standard output, all other text to standard error. The exit code is 0 for success, 2
for an error that the user can correct, and 130 after an interruption.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .app import app, main
from .clustering import cluster, compare, edit, sweep
from .collecting import answers, serve
from .corpus import crop_faces, demo, extract_frames, relink, scan
from .doctor import doctor
from .embeddings import embed, reduce
from .explore import coding_sheet, find, gallery, group, keywords, metadata, methods, propose, share
from .finetune import fine_tune, predict
from .labelling import label_shares, labels, read_labels, screen
from .options import Command
from .posts import network, posts, prevalence
from .run import run
from .sampling import assign, sample
from .text import describe, embed_text, read_text, tag
from .validation import judge, next_pairs, pairs, score, tune

__all__ = ["COMMANDS", "app", "main"]

#: Each command, the verbs whose settings it takes, and the arguments that it fills itself, in the
#: order of `--help`.
_TABLE: list[tuple[Callable[..., Any], tuple[str, ...], tuple[str, ...]]] = [
    (demo, ("draw_demo_corpus",), ()),
    (scan, ("scan_images",), ()),
    (relink, ("relink",), ()),
    (extract_frames, ("extract_frames",), ()),
    (crop_faces, ("crop_faces",), ()),
    (embed, ("embed_images",), ()),
    (reduce, ("reduce_embeddings",), ()),
    (describe, ("describe_images", "ModelServer", "LocalModel"), ("api_key",)),
    (read_text, ("read_text",), ()),
    (tag, ("tag_images", "Rekognition", "ModelServer"), (
        "operation", "Rekognition.min_confidence", "model", "ModelServer.price",
        "ModelServer.timeout", "api_key",
    )),
    (embed_text, ("embed_text",), ()),
    (fine_tune, ("fine_tune",), ()),
    (predict, ("predict_labels",), ()),
    (cluster, ("cluster_images",), ("encoder", "weights")),
    (edit, ("edit_clusters",), (
        "accept", "drop", "merge", "move", "names", "note", "seed", "split",
    )),
    (sweep, ("sweep_clusters",), ()),
    (compare, ("compare_clusterings",), ()),
    (gallery, ("image_gallery", "map_images", "plot_montage"), ("map_images.method",)),
    (keywords, ("cluster_keywords",), ()),
    (metadata, ("cluster_metadata",), ()),
    (propose, ("propose_names", "ModelServer"), ("by", "api_key")),
    (find, ("find_images",), ()),
    (group, ("group_clusters",), ("names",)),
    (screen, ("propose_exclusions",), ()),
    (coding_sheet, ("coding_sheet",), ()),
    (pairs, ("sample_pairs", "export_pairs"), ("export_pairs.disputed",)),
    (next_pairs, ("next_pairs", "export_pairs", "read_pairs", "consensus"), (
        "answers", "disputed", "export_pairs.questions", "files", "judged", "next_pairs.k",
        "next_pairs.seed", "read_pairs.questions",
    )),
    (judge, ("judge_pairs", "ModelServer", "LocalModel"), ("api_key", "pairs")),
    (score, ("score_clustering", "read_pairs", "consensus", "agreement"), _SCORED := (
        "answers", "by", "files", "machine", "read_pairs.questions", "truth",
    )),
    (tune, ("tune_clusters", "read_pairs", "consensus"), _SCORED),
    (posts, ("read_posts", "link_posts"), ("columns", "topics")),
    (prevalence, ("topic_prevalence",), ()),
    (network, ("export_network",), ("linked",)),
    (sample, ("sample_images",), ()),
    (assign, ("assign_annotators", "export_packets"), ()),
    (labels, ("export_labels",), ("disputed",)),
    (read_labels, ("read_labels", "consensus", "agreement"), ("answers", "files", "meeting")),
    (label_shares, ("label_shares",), ("labels", "predictions", "by")),
    (serve, ("serve_forms",), ()),
    (answers, ("export_answers",), ()),
    (share, ("share_bundle",), ()),
    (methods, ("methods_paragraph",), ("results",)),
    (doctor, (), ()),
]  # fmt: skip
_STEPS = {
    "scan_images": "scan",
    "embed_images": "embed",
    "cluster_images": "cluster",
    "sample_images": "sample",
    "image_gallery": "gallery",
    "map_images": "gallery",
    "plot_montage": "gallery",
}
#: All commands by name.
COMMANDS = {
    made.name: made
    for made in (
        Command(
            run,
            _STEPS,
            (
                "cluster_images.encoder",
                "cluster_images.weights",
                "map_images.method",
                "image_gallery.author",
                "image_gallery.by",
                "image_gallery.time",
            ),
        ),
        *(
            Command(function, dict.fromkeys(verbs, function.__name__.replace("_", "-")), without)
            for function, verbs, without in _TABLE
        ),
    )
}
for _command in COMMANDS.values():
    app.command(_command.name, help=_command.function.__doc__)(lambda: None)
