"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Folder = Annotated[Path, typer.Argument(help="A folder of images; those in it are looked at too.")]
RunFolder = Annotated[Path, typer.Argument(help="A run folder made by the steps before.")]
Out = Annotated[Path, typer.Option("--out", help="The run folder to write to.")]
Name = Annotated[
    str | None,
    typer.Option(
        "--name", help="A variant of the run, beside other clusters or encoders: variants/NAME."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the summary as one line of JSON.")]
Overwrite = Annotated[bool, typer.Option(help="Replace what was made with other settings.")]
Engine = Annotated[
    str | None,
    typer.Option(help="A Dask cluster: the address of its scheduler, or the file it writes."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
Seed = Annotated[int, typer.Option(help="One seed for everything random.")]
Encoder = Annotated[str, typer.Option(help="How pictures become vectors; see `doctor`.")]
Weights = Annotated[
    str | None, typer.Option(help="A file or folder of weights, or the name of published ones.")
]
Model = Annotated[Path | None, typer.Option(help="A fine-tuned network, instead of an encoder.")]
Resize = Annotated[str, typer.Option(help="rescale_crop, squish, crop or pad.")]
Precision = Annotated[str, typer.Option(help="auto, float32 or bfloat16.")]
BatchSize = Annotated[int | None, typer.Option(help="Images that pass the encoder together.")]
MinBytes = Annotated[int, typer.Option(help="Reject smaller files.")]
MinSide = Annotated[int, typer.Option(help="Reject images with a shorter side, in pixels.")]
Exclude = Annotated[
    list[str] | None,
    typer.Option(help="Pass over what a pattern matches, such as '*_thumb.jpg'; may be repeated."),
]
NearDuplicates = Annotated[
    int | None, typer.Option(help="Hamming distance up to which images count as copies.")
]
Method = Annotated[str, typer.Option(help="iterative, kmeans or hdbscan.")]
Preset = Annotated[str | None, typer.Option(help='"paper": the published settings.')]
K = Annotated[int | None, typer.Option("--k", help="Clusters fitted per iteration.")]
KMax = Annotated[
    str | None,
    typer.Option(help='Largest K searched: a number, or "sample", all images of the sample.'),
]
SampleSize = Annotated[int | None, typer.Option(help="Images on which K is searched.")]
Clusters = Annotated[int | None, typer.Option(help="Number of clusters (method kmeans).")]
Threshold = Annotated[
    float | None, typer.Option(help="Mean silhouette above which a cluster is cohesive.")
]
MinClusterSize = Annotated[
    int | None, typer.Option(help="Images that make a cluster (method hdbscan); by default 50.")
]
MinSamples = Annotated[
    int | None, typer.Option(help="Near neighbours of an image that lies densely (hdbscan).")
]
Noise = Annotated[
    str | None, typer.Option(help="Of images in no cluster (hdbscan): keep or nearest.")
]
Normalize = Annotated[str | None, typer.Option(help='"l2": vectors of length one.')]
Components = Annotated[int | None, typer.Option(help="Principal components kept.")]
MapMethod = Annotated[
    str | None, typer.Option("--map", help="Add a map of the images: umap or pca.")
]
PerCluster = Annotated[
    int | None, typer.Option(help="Images sampled from each cluster; by default 5.")
]
Budget = Annotated[int | None, typer.Option(help="Images sampled in all, instead.")]
Allocation = Annotated[str | None, typer.Option(help="Of a budget: equal, proportional or sqrt.")]
Residual = Annotated[
    str, typer.Option(help="Images that belong to no cluster: together (a stratum), or drop.")
]
Singles = Annotated[bool, typer.Option(help="Sample clusters of one image.")]
Labels = Annotated[
    Path | None, typer.Option(help="A CSV file; without it, the names of the folders are labels.")
]
Task = Annotated[str | None, typer.Option(help="binary, multiclass or multilabel.")]
Freeze = Annotated[
    str, typer.Option(help='"none", "backbone", or how many blocks keep their weights.')
]
LearningRate = Annotated[float, typer.Option(help="Of stochastic gradient descent.")]
Momentum = Annotated[float, typer.Option(help="Of stochastic gradient descent.")]
TrainingBatch = Annotated[int, typer.Option("--batch-size", help="Images per step.")]
Epochs = Annotated[int, typer.Option(help="Passes over the training images.")]
EarlyStopping = Annotated[
    int | None, typer.Option(help="Stop after so many epochs without a lower validation loss.")
]
Table = Annotated[
    Path | None, typer.Option("--texts", help="A CSV file with image_id and texts of yours.")
]
Column = Annotated[str | None, typer.Option(help="The column of texts.")]
ServerAddress = Annotated[
    str | None, typer.Option("--base-url", help="A server with the OpenAI interface.")
]
Consent = Annotated[bool, typer.Option("--consent", help="What is sent may leave this machine.")]
Decision = Annotated[str, typer.Option(help='A probability, or "calibrated".')]
Graded = Annotated[
    bool, typer.Option(help="Answers 0, 1 or 2 (how related), instead of different or same.")
]
