"""Write the methods paragraph of a paper from a run folder."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..clustering.join import has_residual
from ..clustering.themes import NEAR
from ..errors import ImagestrataError, plural, warn
from ..files import read_json
from ..provenance import check_run, find_step, read_run, require_step, variants_of, version
from ..steps import step_kinds
from ..verbs import public
from ..wording import SAME_CALL, arg, quote, verb

Entry = Mapping[str, Any]

#: Settings that are locations, or that a sentence reports in another way.
_ELSEWHERE = frozenset({
    "base_url", "classifier", "encoder", "endpoint_url", "fine_tuned", "groups", "inputs",
    "learnt_from", "mean", "method", "model", "name", "published", "reader", "reduced_by",
    "reduced_from", "sd", "service", "test", "texts", "weights", "weights_sha256", "width",
})  # fmt: skip

_METHODS = {
    "iterative": "Iterative k-means",
    "kmeans": "K-means",
    "hdbscan": "HDBSCAN",
    "labels": "Labels that were assigned beforehand",
    "function": "A function of our own",
}
_REDUCTIONS = {"pca": "Principal component analysis", "umap": "UMAP"}

#: Reasons for which a file is a copy of another one.
_COPIES = ("same bytes", "same pixels", "near-duplicate")

#: Packages that affect the numbers of every study; others are listed if settings name them.
_SOFTWARE = (
    *("imagestrata", "python", "numpy", "scipy", "scikit-learn"),
    *("torch", "torchvision", "pillow"),
)


@public
def methods_paragraph(run: str | os.PathLike[str] | None = None, results: Any = None) -> str:
    """Write the methods paragraph of a paper from the records of a run folder.

    Parameters
    ----------
    run : path, optional
        A run folder. For a variant (``run/variants/NAME``), the paragraph includes the steps of
        the surrounding run that the variant uses. By default only ``results`` are described.
    results : result or list of results, optional
        Analyses of posts: results of :func:`link_posts`, :func:`topic_prevalence`,
        :func:`topic_gaps`, :func:`topic_odds`, :func:`topic_model` or :func:`share_model`. Or
        labels and what became of them: labels of one or several annotators, the result of
        :func:`agreement` or :func:`consensus`, of :func:`predict_labels`, or of
        :func:`label_shares`. Or judged pairs by people or by a model, and their scores that
        :func:`score_clustering` corrected (``machine``). Or ratings: results of
        :func:`rating_means`, :func:`rating_gaps` or :func:`rating_model`. Or a list of several, in
        the order of the text.

    Returns
    -------
    str
        Sentences on each finished step, in order: the numbers of files, of usable images, of
        duplicates and of rejected files with reasons; the encoder with the SHA-256 of its
        weights; the clustering method with all its settings, and the numbers of clusters and of
        images outside clusters; the sample; pairs, packets, texts and labels, if there are any;
        versions of the software. A paragraph for each variant of the run follows, one for labels,
        predictions and the analyses of posts, and a last line with the reference to cite.

    Raises
    ------
    ImagestrataError
        If the folder contains no finished step, or a step whose result is missing or uses a
        result that has been replaced.

    Warns
    -----
    UserWarning
        If a step is unfinished: the paragraph leaves it out.

    Notes
    -----
    All numbers come from ``run.json`` and from the results. The paragraph reports what was done,
    but not why: add your reasons, and remove details that your readers do not need.

    Examples
    --------
    >>> from imagestrata import cluster_images, draw_demo_corpus, methods_paragraph
    >>> corpus = draw_demo_corpus("demo", n_images=60, seed=3)  # doctest: +SKIP
    >>> topics = cluster_images(corpus, out="run")  # doctest: +SKIP
    >>> print(methods_paragraph("run"))  # doctest: +SKIP
    """
    analyses = [] if results is None else [_of_results(results)]
    if run is None:
        if not analyses:
            raise ImagestrataError(
                "There is nothing to describe.",
                f"Give a run folder as {arg('run')}, or results to describe as {arg('results')}.",
            )
        return "\n\n".join([*analyses, _citation([])])
    folder = check_run("run", run)
    steps = _finished(folder, step_kinds())
    texts = [" ".join(_sentences(folder, steps))] if steps else []
    for variant in variants_of(folder):
        own = _finished(variant, [*read_run(variant)["steps"], "tune"])
        if own:
            texts.append(" ".join([f"Variant {variant.name}:", *_sentences(variant, own)]))
            steps |= {f"{variant.name}/{name}": entry for name, entry in own.items()}
    if not steps:
        raise ImagestrataError(
            f"{quote(folder)} holds no finished step.",
            f"Run {verb('scan_images', out='run')} or {verb('cluster_images', out='run')} first.",
        )
    texts[0] += f" {_software(steps.values())}"
    return "\n\n".join([*texts, *analyses, _citation(steps.values())])


def _of_results(results: Any) -> str:
    # Models of posts import patsy, which takes time.
    from .posts import describe_results

    return describe_results(results)


def _finished(folder: Path, names: Iterable[str]) -> dict[str, Entry]:
    """The entries of the finished steps of a run, whose results are checked."""
    found: dict[str, Entry] = {}
    for name in names:
        place = folder / "tuning" if name == "tune" else folder
        entry = find_step(place, name)[1]
        if entry is not None and entry["finished"]:
            found[name] = require_step(place, name)
        elif entry is not None:
            warn(
                f"The step {quote(name)} in {quote(place)} is not finished, and the paragraph "
                f"leaves it out. {SAME_CALL} that began it continues it."
            )
    return found


def _sentences(folder: Path, steps: Mapping[str, Entry]) -> list[str]:
    """Sentences on each step, in the order of the steps."""
    said = []
    for name, entry in steps.items():
        try:
            if name in _SENTENCES:
                said.append(_SENTENCES[name](entry, find_step(folder, name)[0]))
            elif name in _TEMPLATES:
                said.append(_filled(_TEMPLATES[name], entry))
        except (KeyError, TypeError, AttributeError) as error:
            raise ImagestrataError(
                f"The entry of the step {quote(name)} in {quote(folder / 'run.json')} is "
                f"incomplete ({error}).",
                f"Run the step again: {verb(step_kinds()[name].verb, overwrite=True)}.",
            ) from None
    return said


class _Count(int):
    """A number in a sentence: ``{n}`` is 1,400, and ``{n:image}`` is 1,400 images."""

    def __format__(self, noun: str) -> str:
        return plural(int(self), noun) if noun else f"{int(self):,}"


def _filled(template: str, entry: Entry) -> str:
    """A sentence with counts and settings of a step, followed by its other settings."""
    known: dict[str, Any] = {
        name: _Count(value) if type(value) is int else value
        for name, value in {**entry["settings"], **entry["counts"]}.items()
    }
    kind = next((one for one in ("service", "model", "classifier") if one in known), "")
    at = f" (at {known['sent_to']})" if known.get("sent_to") else ""
    known["asked"] = f"We asked the {kind} {known.get(kind)}{at}"
    groups = known.get("groups", [""])
    known["people"] = f"the {'group' if len(groups) == 1 else 'groups'} {_and(groups)}"
    frozen = known.get("freeze") == "backbone"
    known["trained"] = (
        "trained a new last layer for the encoder" if frozen else "fine-tuned the network"
    )
    known["rate"] = "rates" if known.get("raters_per_group") == 1 else "rate"
    text = template.format(**known)
    text += f"{_settings(entry['settings'])}."
    reasons = entry["counts"].get("reasons")
    text += f" Some answers are missing or cut off{_listed(reasons)}." if reasons else ""
    return text + _paid(entry)


def _paid(entry: Entry) -> str:
    """Which models a server says that it used, and the cost; with a space before it."""
    models, cost = entry["counts"].get("models"), entry["counts"].get("cost")
    others = [name for name in models or [] if name != entry["settings"].get("model")]
    text = f" By its own account, the server used {_and(others)}." if others else ""
    return text + (f" The answers cost {cost:,.2f} at the prices given." if cost else "")


#: Sentences with counts. Settings that they do not mention follow in parentheses.
_TEMPLATES = {
    "describe": "{asked} to describe {images:image} in words",
    "tag": "{asked} for labels of {images:image}, of which {without} received none",
    "read": "{program} found text in {with_text} of {images:image}",
    "faces": "The face detector of dlib found {faces:face} in {images:image}",
    "pairs": "For judgements by people, we drew {pairs:pair} of images, which show {images:image}",
    "judge": "{asked} to judge {pairs:pair} of images, of which {without} received no answer",
    "assign": "We dealt {images:sampled image} into {packets:packet} for {people}, so "
    "that {raters_per_group:respondent} of each group {rate} each image",
    "tune": "We compared {n_candidates:clustering} by their {measure} on {n_pairs:judged pair}",
}


#: Of the step "fine-tune", without folds and with folds.
_FINE_TUNED = (
    "We {trained} {encoder} on {train:image} with labels, used {val} for validation and {test} for "
    "the test, and kept epoch {best_epoch}"
)
_FOLDED = (
    "We {trained} {encoder} on {fold:image} with labels in {n_folds:fold}: a network was trained "
    "for each fold on the images outside it, in part for validation, so that each labelled image "
    "has a prediction of a network that has not seen its label; other images have the mean "
    "probability of all networks (cross-fitting, Zrnic and Candes 2024)"
)


def _fine_tune(entry: Entry, _: Path) -> str:
    settings = entry["settings"]
    if "folds" not in settings:
        return _filled(_FINE_TUNED, entry)
    told = {name: value for name, value in settings.items() if name != "folds"}
    return _filled(_FOLDED, {**entry, "settings": told})


def _scan(entry: Entry, _: Path) -> str:
    n, settings = entry["counts"], entry["settings"]
    reasons = n.get("reasons", {})
    copies = {reason: reasons[reason] for reason in _COPIES if reason in reasons}
    others = {reason: m for reason, m in reasons.items() if reason not in _COPIES}
    what = "was a distinct, usable image" if n["ok"] == 1 else "were distinct, usable images"
    said = [f"Of {plural(n['files'], 'file')}, {n['ok']:,} ({_share(n['ok'], n['files'])}) {what}."]
    left_out = [
        f"{plural(n['duplicate'], 'duplicate')}{_listed(copies)}" if n["duplicate"] else "",
        f"{plural(n['rejected'], 'unusable file')}{_listed(others)}" if n["rejected"] else "",
    ]
    if any(left_out):
        said.append(f"We excluded {' and '.join(filter(None, left_out))}.")
    names = settings.get("exclude")
    if names or n.get("ignored"):
        named = f" and names that match {_and(names)}" if names else ""
        passed_over = _listed(n.get("passed_over", {}))
        said.append(f"Files of other kinds{named} were not considered{passed_over}.")
    bytes_ = f" and its file at least {settings['min_bytes']:,} bytes"
    said.append(
        "An image was usable if it could be decoded and its shorter side had at least "
        f"{plural(settings['min_side'], 'pixel')}{bytes_ if settings['min_bytes'] else ''}."
    )
    near = settings["near_duplicates"]
    alike = f", or if their perceptual hashes differed in {near} bits or fewer"
    said.append(
        "Files were duplicates if their bytes or their decoded pixels were identical"
        f"{'' if near is None else alike}."
    )
    return " ".join(said)


def _embed(entry: Entry, run: Path) -> str:
    encoder = read_json(run / "embeddings" / "encoder.json")
    n = entry["counts"]
    whole = encoder.get("reduced_from", encoder)
    of_texts = "texts" in whole
    text = (
        f"The encoder {whole.get('name', 'of the author')}{_encoder(whole, entry)} represented "
        f"{'the text of ' if of_texts else ''}{plural(n['images'], 'image')} as vectors of "
        f"{plural(whole['width'], 'number')}{' each' if n['images'] != 1 else ''}."
    )
    if "reduced_from" in encoder:
        by = encoder["reduced_by"]
        text += (
            f" {_REDUCTIONS[by]} reduced them to {plural(encoder['width'], 'number')} each"
            f"{_settings(encoder)}."
        )
    failed = n.get("failed") or {}
    total = sum(failed.values()) if isinstance(failed, Mapping) else failed
    if total:
        why = _listed(failed) if isinstance(failed, Mapping) else ""
        text += f" We excluded {plural(total, 'further image')} without a vector{why}."
    return text


def _encoder(encoder: Mapping[str, Any], entry: Entry) -> str:
    """The weights and settings of an encoder, in parentheses."""
    said = []
    if encoder.get("name") in _NETWORKS:
        said.append(_NETWORKS[encoder["name"]])
    # An encoder with weights of a user's own file still names the published weights. The settings
    # of its step tell whether these were used; a bundle leaves out paths.
    published, asked = encoder.get("published"), entry["settings"].get("weights", ...)
    if published and asked in (None, published) and entry["inputs"] is not None:
        said.append(f"weights {published}")
    return _settings(encoder, said)


def _cluster(entry: Entry, run: Path) -> str:
    n, settings = entry["counts"], entry["settings"]
    added, later = n.get("n_added", 0), n.get("n_added_residual", 0)
    images, residual = n["n_images"] - added, n["n_residual"] - later
    if "neighbors" in settings:
        # The numbers that the defaults took, and the scaling that they imply.
        used = read_json(run / "clustering.json")
        settings = {name: used.get(name, value) for name, value in settings.items()}
    told = {name: value for name, value in settings.items() if name != "labels"}
    # An estimator of the user's own has settings of its own, whose random_state None is the seed.
    own = told.pop("parameters", {})
    own = {name: value for name, value in own.items() if (name, value) != ("random_state", None)}
    method = _METHODS.get(settings["method"], settings["method"])
    grouped = f"{images - residual:,} of" if residual else "all"
    text = (
        f"{method}{_settings(own)} grouped {grouped} {plural(images, 'image')} into "
        f"{plural(n['n_clusters'], 'cluster')}{_settings(told)}."
    )
    text = _moved(settings.get("neighbors")) + text
    if "n_carried" in n:
        text += (
            f" {plural(n['n_carried'], 'cluster')} kept the number of the cluster of an earlier "
            "clustering with which it shared most images (one-to-one, at least half of either)."
        )
    if residual:
        rest = f"{plural(residual, 'image')} ({_share(residual, images)})"
        text += f" The residual, which belongs to no cluster, holds {rest}."
    return text + _joined(added, later, settings) if added else text


def _edit(entry: Entry, _: Path) -> str:
    counts = entry["counts"]
    done = [
        words
        for words in (
            plural(counts["n_name"], "name"),
            plural(counts["n_merge"], "merge"),
            plural(counts["n_split"], "split"),
            plural(counts["n_move"], "move of images", "moves of images"),
            plural(counts["n_drop"], "removal"),
        )
        if not words.startswith("0 ")
    ]
    accepted = counts.get("n_accepted", 0)
    if accepted:
        words = "1 of which was" if accepted == 1 else f"{accepted} of which were"
        done[0] += f", {words} proposed by machine"
    if not done:
        return f"{plural(counts['n_propose'], 'name')} proposed by machine await a decision."
    return (
        f"The clusters were edited by hand ({', '.join(done)}), which gave "
        f"{plural(counts['n_clusters'], 'cluster')} and "
        f"{plural(counts['n_residual'], 'image')} in none; a ledger records every edit."
    )


#: Distances between clusters.
_DISTANCES = {
    "cosine": "the cosine distances of their centroids about the mean of these",
    "euclidean": "the Euclidean distances of their centroids",
}


def _group(entry: Entry, _: Path) -> str:
    n, settings = entry["counts"], entry["settings"]
    return (
        f"The {plural(n['n_clusters'], 'cluster')} were grouped into "
        f"{plural(n['n_themes'], 'theme')} by average linkage of "
        f"{_DISTANCES[settings['distance']]}"
        + (f", joined up to {NEAR:.0%} of the mean of all." if settings["n"] is None else ".")
    )


def _joined(added: int, later: int, settings: Mapping[str, Any]) -> str:
    """Sentences on images that joined the clusters later, with a space before them."""
    text = (
        f" {plural(added, 'further image')} joined later, {added - later:,} of them in the "
        "cluster with the nearest centroid; clusters and centroids stayed as they were."
    )
    if not has_residual(settings):
        return text
    return (
        f"{text} The other {plural(later, 'image')}, further from the nearest centroid than any "
        "image of that cluster had been from the mean of the others, joined the residual."
    )


def _moved(neighbors: int | None) -> str:
    """A sentence on the neighbourhood step, and a space; empty without it."""
    if not neighbors:
        return ""
    return (
        f"First, vectors of length one moved towards those of their {neighbors} nearest "
        "neighbours, by a random walk on links weighted by the number of shared neighbours. "
    )


def _sweep(entry: Entry, _: Path) -> str:
    n, settings = entry["counts"], entry["settings"]
    values = settings["values"]
    if len(values) > 3 and len({after - before for before, after in pairwise(values)}) == 1:
        listed = f"{values[0]}, {values[1]}, ..., {values[-1]}"
    else:
        listed = _and([*map(str, values)])
    varied = (
        f"{listed} clusters" if settings["method"] == "kmeans"
        else f"at least {listed} images in a cluster"
    )  # fmt: skip
    # The number of neighbours that "auto" stood for.
    told = {name: value for name, value in settings.items() if name != "values"}
    told |= {"neighbors": n["neighbors"]} if "neighbors" in n else {}
    return (
        f"{_moved(n.get('neighbors'))}We compared {plural(n['n_values'], 'clustering')} by "
        f"{_METHODS[settings['method']]}, with {varied}{_settings(told)}."
    )


def _sample(entry: Entry, run: Path) -> str:
    n, settings = entry["counts"], entry["settings"]
    clustered = find_step(run, "cluster")[1] or {}
    with_residual = settings.get("residual") == "together" and (
        clustered.get("counts", {}).get("n_residual") != 0
    )
    text = (
        f"From {plural(n['strata'], 'stratum', 'strata')} (the clusters"
        f"{' and the residual' if with_residual else ''}), we drew a random sample of "
        f"{plural(n['sampled'], 'image')}"
    )
    if isinstance(settings.get("n_per_cluster"), dict):
        text += ", with a number of images for each stratum that was planned"
    elif settings.get("n_per_cluster") == "all":
        text = f"We took all images of {plural(n['strata'], 'stratum', 'strata')} (the clusters"
        text += f"{' and the residual' if with_residual else ''}), "
        text += f"{plural(n['sampled'], 'image')} altogether"
    elif settings.get("budget") is None:
        text += (
            f", at most {settings['n_per_cluster']:,} from each stratum and never all images of a "
            "stratum with more than one"
        )
    text += f"{_settings(settings)}."
    if n.get("kept"):
        text += f" {plural(n['kept'], 'image')} had been drawn before, and stayed."
    if n.get("added_strata"):
        text += (
            f" Images that joined the clusters later were drawn as strata of their own "
            f"({n['added_strata']:,}), at the rate of their cluster and at least two of each."
        )
    if n.get("not_sampled_strata"):
        out = plural(n["not_sampled_strata"], "stratum", "strata")
        text += f" The sample leaves out {out} by these settings."
    if settings.get("n_per_cluster") == "all":
        return text
    return text + " The inclusion probability of an image is the share of its stratum that we drew."


#: Networks whose names do not say what they are.
_NETWORKS = {"efficientnet_lite0": "EfficientNet-Lite0, trained on ImageNet, Tan and Le 2019"}

_SENTENCES: dict[str, Callable[[Entry, Path], str]] = {
    "scan": _scan,
    "embed": _embed,
    "cluster": _cluster,
    "fine-tune": _fine_tune,
    "edit": _edit,
    "group": _group,
    "sample": _sample,
    "sweep": _sweep,
}


def _software(entries: Iterable[Entry]) -> str:
    """A sentence on the versions of the software; all of them if steps used different ones."""
    found: dict[str, set[str]] = {}
    for entry in entries:
        for package, number in entry.get("versions", {}).items():
            if package in _SOFTWARE or package.partition("-")[0] in str(entry["settings"]):
                found.setdefault(package, set()).add(number)
    ordered = sorted(found, key=lambda one: [*_SOFTWARE, one].index(one))
    listed = [f"{one} {' and '.join(sorted(found[one]))}" for one in ordered]
    return f"Computations used {_and(listed).replace('python', 'Python', 1)}." if listed else ""


def _citation(entries: Iterable[Entry]) -> str:
    known = {entry.get("versions", {}).get("imagestrata", version()) for entry in entries}
    known = known or {version()}
    what = metadata.metadata("imagestrata")["Summary"]
    return (
        f"Reference: The imagestrata authors. imagestrata: {what}. Version "
        f"{' and '.join(sorted(known))} [computer software]."
    )


def _settings(settings: Mapping[str, Any], said: Iterable[str] = ()) -> str:
    """All settings that a sentence does not mention, in parentheses."""
    named = {"fine_tuned": "fine-tuned for the labels", "weights_sha256": "SHA-256 of the weights"}
    own = [f"{words} {_value(settings[one])}" for one, words in named.items() if settings.get(one)]
    told = {name: value for name, value in settings.items() if name not in _ELSEWHERE}
    given = [f"{name} = {_value(value)}" for name, value in told.items() if value is not None]
    unset = ", ".join(name for name, value in told.items() if value is None)
    parts = [*said, *own, *given, *([f"not set: {unset}"] if unset else [])]
    return f" ({'; '.join(parts)})" if parts else ""


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    if isinstance(value, str) and " " not in value:
        return value
    return json.dumps(value, ensure_ascii=False)


def _listed(counts: Mapping[str, int]) -> str:
    """Counts in parentheses, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda one: -one[1])
    listed = "; ".join(f"{what}: {n:,}" for what, n in ordered)
    return f" ({listed})" if listed else ""


def _and(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def _share(n: int, total: int) -> str:
    return f"{n / total:.1%}" if total else "none"
