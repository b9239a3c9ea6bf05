"""Descriptions by a model on this machine: a tiny random LLaVA, loaded by the real code."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from images import write_pictures
from imagestrata import (
    ImagestrataError,
    LocalModel,
    MissingWeightsError,
    describe_images,
    embed_images,
    judge_pairs,
    sample_pairs,
    scan_images,
)
from imagestrata.text import local

WORDS = ["<unk>", "<s>", "</s>", "<pad>", "<image>", "describe", "image", "user", "flag", "red"]
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }} {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image> {% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endfor %}"
)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """A LLaVA of 16 numbers a layer, that knows ten words."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = tmp_path_factory.mktemp("models") / "tiny"
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        additional_special_tokens=["<image>"],
    )
    pictures = transformers.CLIPImageProcessor(
        size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}
    )
    transformers.LlavaProcessor(
        image_processor=pictures,
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        chat_template=TEMPLATE,
        image_token="<image>",
        num_additional_image_tokens=1,
    ).save_pretrained(folder)
    small = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2}
    ends = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3}
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(
            **small, num_hidden_layers=2, image_size=28, patch_size=14, projection_dim=16
        ),
        text_config=transformers.LlamaConfig(
            **small, **ends, num_hidden_layers=1, vocab_size=len(WORDS)
        ),
        image_token_index=4,
        vision_feature_layer=-1,
    )
    torch.manual_seed(0)
    transformers.LlavaForConditionalGeneration(config).save_pretrained(folder)
    return folder


@pytest.fixture
def pictures(tmp_path):
    return write_pictures(tmp_path / "pictures", 2)


def describe(pictures, model, out, **options):
    options = {"prompt": "describe image", "max_tokens": 5, "progress": False} | options
    return describe_images(pictures, LocalModel(model, device="cpu"), out, **options)


def test_descriptions_without_any_server(tiny, pictures, tmp_path, monkeypatch):
    table = describe(pictures, tiny, tmp_path / "run")
    # A random model may say nothing but that it has finished.
    assert (table["description"].notna() | (table["reason"] == "empty answer")).all()
    assert set(" ".join(table["description"].dropna()).split()) <= {*WORDS}
    # "user", 4 patches of the picture, "describe", "image", and the beginning of the sentence
    # where the tokenizer puts one.
    assert table["tokens_in"].isin([7, 8]).all()
    assert (table["tokens_out"] <= 5).all()
    assert table["cost"].isna().all()
    assert (table["model"] == "tiny").all()
    # Stored: the model is not even loaded by the same call.
    monkeypatch.setattr(local.LocalDescriber, "__init__", None)
    pd.testing.assert_frame_equal(describe(pictures, tiny, tmp_path / "run"), table)


def test_both_pictures_of_a_pair_are_seen(tiny, tmp_path, monkeypatch):
    """A random model judges nothing, and nothing is guessed for it."""
    scanned = scan_images(write_pictures(tmp_path / "pictures", 4), progress=False)
    pairs = sample_pairs(embed_images(scanned, "hog", progress=False), 3, 1)
    given = {"questions": "describe image", "max_tokens": 5, "progress": False}
    model = LocalModel(tiny, device="cpu")
    with pytest.warns(UserWarning, match="3 of 3 answers are missing"):
        judged = judge_pairs(pairs, model, tmp_path / "run", **given)
    assert judged["judgement"].isna().all() and (judged["annotator"] == "model:tiny").all()
    kinds = ("not one of the answers", "empty answer", "cut off at max_tokens")
    assert judged["reason"].str.startswith(kinds).all()
    lines = [
        json.loads(line)
        for line in (tmp_path / "run" / "judgements" / "answers.jsonl").read_text().splitlines()
    ]
    assert [line["attempt"] for line in lines] == [1, 2, 3] * 3
    one = local.LocalDescriber(model, "describe", 5, None)
    pictures = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue")]
    tokens = [one.ask(pictures[:n])[2].tokens_in for n in (1, 2)]
    assert tokens[1] - tokens[0] == 4  # the patches of the second picture
    # Its words become judgements where they are answers.
    monkeypatch.setattr(
        local.LocalDescriber,
        "ask",
        lambda self, pictures, prompt: ("Same", False, local.Usage(9, 1)),
    )
    said = judge_pairs(pairs, model, tmp_path / "other", **given)
    assert said["judgement"].tolist() == [1.0] * 3


def test_the_likeliest_words_unless_varied_ones_are_asked_for(tiny):
    picture = Image.new("RGB", (40, 30), "red")

    def answers(temperature, n=8):
        model = local.LocalDescriber(LocalModel(tiny, "cpu"), "describe", 5, temperature)
        return {model.ask([picture])[0] for _ in range(n)}

    assert len(answers(None)) == len(answers(0)) == 1
    assert len(answers(50.0)) > 1


def test_what_is_no_model(tmp_path, pictures, tiny):
    with pytest.raises(MissingWeightsError, match="contains no weights"):
        describe(pictures, tmp_path, tmp_path / "run")
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(MissingWeightsError, match="could not be loaded"):
        describe(pictures, tmp_path, tmp_path / "run")


def test_the_missing_library_is_named(monkeypatch, tiny, pictures, tmp_path):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImagestrataError, match=r"pip install 'imagestrata\[text\]'"):
        describe(pictures, tiny, tmp_path / "run")


def test_a_budget_has_no_meaning(tiny, pictures, tmp_path):
    with pytest.raises(ImagestrataError, match="price of tokens is unknown"):
        describe(pictures, tiny, tmp_path / "run", budget=1)
