"""Explain labels: heat maps of the regions that raise a label's output."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..corpus.duplicates import eye_hash
from ..corpus.pictures import File, files_of, scanned_picture
from ..encoders.registry import DEFAULT_ENCODER, is_network, load_network
from ..encoders.saved import read_encoder
from ..errors import ImagestrataError
from ..files import make_folder, write_bytes
from ..progress import Progress
from ..verbs import public
from ..wording import quote
from ..work import Failed, open_work
from .model import FineTunedModel, Head
from .predict import as_model
from .seen import Seen, read_seen
from .task import Floats, probabilities

if TYPE_CHECKING:
    import torch

_OPACITY = 0.45

_COLUMNS = {
    "image_id": str, "path": str, "label": str, "probability": float, "overlay": str, "reason": str,
}  # fmt: skip


@public
def explain_labels(
    images: Any,
    model: Any,
    out: str | os.PathLike[str],
    *,
    label: str | None = None,
    device: str = "auto",
    progress: Progress = True,
) -> pd.DataFrame:
    """Draw heat maps of the regions that raise a label's output (Grad-CAM).

    The last feature maps of a convolutional network are weighted by their effect on the
    label's output, summed, and drawn over the picture (Selvaraju et al. 2017). Red regions
    contribute most to the label.

    Parameters
    ----------
    images : path, list of paths, or DataFrame
        Images as in :func:`imagestrata.embed_images`, no more than you can look at; or rows
        of :func:`imagestrata.predict_labels` or of a model's ``predictions``, such as its
        mistakes.
    model : FineTunedModel or path
        A fine-tuned convolutional network.
    out : path
        Folder for the pictures, which is created if necessary.
    label : str, optional
        The label to explain. By default the most probable label of each image.
    device : str, default "auto"
        See :func:`imagestrata.embed_images`.
    progress : bool or callable, default True
        See :data:`imagestrata.progress.Progress`.

    Returns
    -------
    DataFrame
        ``image_id``, ``path``, ``label``, ``probability``, ``overlay``, the PNG file (the
        network's input square without and with the heat map), and ``reason``, if an image
        could not be read.

    Raises
    ------
    ImagestrataError
        If the model is not a convolutional network, does not have the label, or ``out``
        cannot be written.

    Notes
    -----
    A heat map shows which regions the network uses, not why it uses them. Its resolution is
    low (7 x 7 for most networks). It is computed in float32.

    A model with folds shows the network that has not seen the label of an image (or of a copy of
    it), and for other images the mean of the maps of all networks.
    """
    from ..encoders.inference import pick_device

    model = as_model(model)
    if label is not None and label not in model.labels:
        raise ImagestrataError(
            f"The model has no label {quote(label)}.", f"Its labels are {', '.join(model.labels)}."
        )
    files = _files(images, progress)
    folder = make_folder(out)
    place = pick_device(device)
    seers = [
        _Seer(model, place, model.networks[number % len(model.networks)], head)
        for number, head in enumerate(model.heads)
    ]
    draw = partial(_draw, model, seers, read_seen(model), label, folder)
    with open_work("Explaining", len(files), progress, waiting_threads=1) as work:
        looks = work.each(draw, files)
        rows = [
            {"image_id": image_id, "path": path}
            | ({"reason": seen.reason} if isinstance(seen, Failed) else seen)
            for (image_id, path), seen in zip(files, looks, strict=True)
        ]
    table = pd.DataFrame(rows, columns=[*_COLUMNS])
    return table.astype({name: object for name, kind in _COLUMNS.items() if kind is str})


def _files(images: Any, progress: Progress) -> list[tuple[str, str]]:
    from ..corpus.scan import scan_images

    if not (isinstance(images, pd.DataFrame) and {"image_id", "path"} <= {*images}):
        images = scan_images(images, progress=progress)
    if "status" in images:
        images = images[images["status"] == "ok"]
    return files_of(images.drop_duplicates("image_id"))


def _draw(
    model: FineTunedModel,
    seers: Sequence[_Seer],
    seen: Seen,
    label: str | None,
    folder: Path,
    file: File,
) -> dict[str, Any]:
    """Explain one picture, and write the heat map."""
    from ..encoders.network import input_square

    picture = scanned_picture(file)
    if seen.folds is not None:
        (row,) = seen.find([file[0]], [eye_hash(picture)])
        seers = seers if row < 0 else [seers[seen.folds[row] - 1]]
    square = input_square(picture, seers[0].settings)
    looks = [seer.look(square) for seer in seers]
    probability = np.mean([one for one, _ in looks], axis=0)
    column = int(probability.argmax()) if label is None else model.labels.index(label)
    heat = np.mean([_scaled(heat_of(column)) for _, heat_of in looks], axis=0)
    name = model.labels[column]
    safe = "".join(letter if letter.isalnum() else "-" for letter in name)[:40]
    target = folder / f"{file[0]}-{safe}.png"
    write_bytes(target, _overlay(square, heat))
    return {"label": name, "probability": float(probability[column]), "overlay": str(target)}


def _scaled(heat: Floats) -> Floats:
    """Return a heat map whose highest value is 1, unless all are 0."""
    return heat / heat.max() if heat.max() > 0 else heat


class _Seer:
    """A network with the heat maps of its labels."""

    def __init__(
        self, model: FineTunedModel, device: torch.device, folder: Path, head: Head
    ) -> None:
        import torch

        if not is_network(model.encoder["name"]):
            raise ImagestrataError(
                f"This model uses the encoder {quote(model.encoder['name'])}, which is not a "
                "network that can be fine-tuned and has no feature maps.",
                f"Fine-tune a network, such as {quote(DEFAULT_ENCODER)}.",
            )
        settings = read_encoder(folder).settings
        backbone, self.settings = load_network(
            settings["name"], weights=settings["weights"], resize=settings["resize"]
        )
        self._backbone = backbone.eval().requires_grad_(False).to(device)
        self._task = model.task
        self._weight, self._bias = (torch.from_numpy(array).to(device) for array in head)
        self._device = device

    def look(self, square: NDArray[np.uint8]) -> tuple[Floats, Callable[[int], Floats]]:
        """Return the probabilities of a square, and a function of a label for its heat map."""
        import torch

        pixels = torch.tensor(square).to(self._device)
        mean, sd = (
            torch.tensor(self.settings[name], device=self._device) for name in ("mean", "sd")
        )
        batch = ((pixels / 255 - mean) / sd).permute(2, 0, 1)[None].requires_grad_()
        maps, outputs = self._maps(batch)

        def heat_of(column: int) -> Floats:
            raised = outputs[0, _output(self._task, column)]
            (gradient,) = torch.autograd.grad(raised, maps)
            heat = (gradient.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1).relu()[0]
            return np.asarray(heat.detach().cpu().numpy())

        return probabilities(self._task, outputs.detach().cpu().numpy())[0], heat_of

    def _maps(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the network's last maps (1, channels, height, width), and its outputs."""
        import torch

        seen: list[torch.Tensor] = []

        def note(module: Any, inputs: Any, output: Any) -> None:
            del module, inputs
            if isinstance(output, torch.Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1:
                seen.append(output)

        hooks = [part.register_forward_hook(note) for part in self._backbone.modules()]
        try:
            vectors = self._backbone(batch)
        finally:
            for hook in hooks:
                hook.remove()
        from torchvision.models import VisionTransformer

        if not seen or isinstance(self._backbone, VisionTransformer):
            raise ImagestrataError(
                f"{quote(self.settings['name'])} has no maps with a channel per feature, as "
                "convolutional networks do, so Grad-CAM does not apply.",
                f"Fine-tune a convolutional network, such as {quote(DEFAULT_ENCODER)}.",
            )
        return seen[-1], vectors @ self._weight.T + self._bias


def _output(task: str, column: int) -> int:
    """Return the index of a label's output of the last layer."""
    return 1 if task == "binary" else column


def _overlay(pixels: NDArray[np.uint8], heat: NDArray[np.float32]) -> bytes:
    """Return a PNG file of the square, without and with the heat map."""
    import io

    import matplotlib
    from PIL import Image

    square = Image.fromarray(pixels)
    size = square.size
    smooth = Image.fromarray(_scaled(heat).astype(np.float32)).resize(
        size, Image.Resampling.BICUBIC
    )
    colours = matplotlib.colormaps["turbo"](np.clip(np.asarray(smooth), 0, 1))[..., :3]
    hot = Image.fromarray((255 * colours).astype(np.uint8))
    both = Image.new("RGB", (2 * size[0] + 8, size[1]), "white")
    both.paste(square, (0, 0))
    both.paste(Image.blend(square, hot, _OPACITY), (size[0] + 8, 0))
    buffer = io.BytesIO()
    both.save(buffer, "PNG")
    return buffer.getvalue()
