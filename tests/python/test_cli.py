"""Options of commands are the verbs' arguments; a file gives them as well."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import imagestrata
from commands import call
from images import encode, picture, write_files
from imagestrata import ImagestrataError
from imagestrata.cli import COMMANDS
from imagestrata.cli.config import read_config
from imagestrata.cli.options import Setting, Settings, as_setting
from imagestrata.cli.run_folder import read_grid
from imagestrata.cli.texts import HELP

#: What a command takes from the run folder, makes itself, or has as an argument of its own.
FILLED = {
    "assign": {"sample", "keep", "out", "packets"},
    "cluster": {"images", "encoder", "weights", "out"},
    "coding-sheet": {"clustering", "out"},
    "screen": {"clustering", "out"},
    "compare": {"clusterings", "several"},
    "extract-frames": {"videos", "out"},
    "crop-faces": {"images", "out"},
    "demo": {"out"},
    "describe": {"images", "provider", "out", "api_key"},
    "label-shares": {"by", "clustering", "labels", "linked", "predictions", "sample"},
    "next-pairs": {
        *("answers", "clustering", "disputed", "embeddings", "files", "judged", "k", "out"),
        *("pairs", "questions", "seed"),
    },
    "edit": {
        "accept",
        "clustering",
        "drop",
        "edits",
        "embeddings",
        "merge",
        "move",
        "names",
        "note",
        "out",
        "seed",
        "split",
    },
    "embed": {"images", "out"},
    "embed-text": {"texts", "out"},
    "find": {"clustering", "embeddings", "like", "text"},
    "fine-tune": {"images", "out"},
    "propose": {"by", "clustering", "keywords", "out", "api_key", "model"},
    "labels": {"disputed", "out", "sample"},
    "read-labels": {"answers", "files", "meeting"},
    "gallery": {
        "clustering",
        "out",
        "sample",
        "keywords",
        "points",
        "embeddings",
        "path",
        "posts",
        "method",
    },
    "group": {"clustering", "keywords", "names", "out"},
    "keywords": {"clustering", "images", "texts"},
    "metadata": {"clustering", "images", "metadata"},
    "network": {"linked", "out"},
    "pairs": {"embeddings", "clusterings", "out", "pairs"},
    "posts": {"columns", "files", "images", "posts", "topics"},
    "predict": {"images", "model"},
    "prevalence": {"linked"},
    "read-text": {"images", "out"},
    "relink": {"run", "images"},
    "reduce": {"embeddings", "out"},
    "run": {
        "images",
        "keep",
        "out",
        "clustering",
        "embeddings",
        "sample",
        "keywords",
        "points",
        "path",
        "method",
        "posts",
        "time",
        "by",
        "author",
    },
    "answers": {"folder", "out"},
    "sample": {"clustering", "keep", "out"},
    "scan": {"images", "out"},
    "judge": {"pairs", "provider", "out", "api_key"},
    "score": {
        "answers",
        "by",
        "clustering",
        "embeddings",
        "files",
        "judgements",
        "machine",
        "pairs",
        "truth",
    },
    "methods": {"run", "results"},
    "serve": {"folder"},
    "share": {"run", "out", "ratings"},
    "sweep": {"embeddings", "out"},
    "tag": {"images", "classifier", "out", "operation", "model", "api_key"},
    "tune": {"answers", "files", "pairs", "embeddings", "out"},
}
#: Filled for one of several verbs of a command.
FOR_ONE = {("run", "cluster_images", "encoder"), ("run", "cluster_images", "weights"),
           ("tag", "Rekognition", "min_confidence"), ("tag", "ModelServer", "price"),
           ("tag", "ModelServer", "timeout"), ("score", "read_pairs", "questions"),
           ("tune", "read_pairs", "questions")}  # fmt: skip


def every_argument():
    for name, command in COMMANDS.items():
        for verb in command.verbs:
            for one in inspect.signature(getattr(imagestrata, verb)).parameters.values():
                yield name, verb, one


@pytest.mark.parametrize("name", COMMANDS)
def test_the_defaults_of_a_command_are_those_of_its_verbs(name):
    typed = {one.name: one for one in COMMANDS[name].click.params}
    for verb, options in COMMANDS[name].options.items():
        parameters = inspect.signature(getattr(imagestrata, verb)).parameters
        for argument in options:
            default = parameters[argument].default
            shown = typed[argument].default
            if not COMMANDS[name].means(argument, verb):
                continue
            if default is inspect.Parameter.empty:
                default = None
            if isinstance(shown, list | tuple) and not isinstance(default, str):
                assert tuple(shown) == tuple(default), (verb, argument)
            else:
                assert shown in (default, str(default), [default]), (verb, argument)
    for own in COMMANDS[name].own.values():
        for verb in COMMANDS[name].verbs:
            theirs = inspect.signature(getattr(imagestrata, verb)).parameters.get(own.name)
            if theirs is not None and theirs.default not in (own.default, theirs.empty):
                assert own.name in FILLED.get(name, ()), (verb, own.name)


def test_every_setting_of_every_verb_can_be_set():
    for name, verb, one in every_argument():
        settable = one.name in COMMANDS[name].options[verb] or one.name in COMMANDS[name].own
        filled = one.name in FILLED.get(name, ()) or (name, verb, one.name) in FOR_ONE
        assert settable or filled or one.name == "progress", (name, verb, one.name)
        if name != "run":
            assert filled or one.name in COMMANDS[name].keys, (name, verb, one.name)


def test_every_option_has_a_text_and_every_text_an_option():
    used = set()
    for command in COMMANDS.values():
        for one in command.click.params:
            assert getattr(one, "help", None), (command.name, one.name)
        for verb, options in command.options.items():
            used |= {f"{verb}.{name}" if f"{verb}.{name}" in HELP else name for name in options}
    assert used == {*HELP}


@pytest.mark.parametrize(
    ("annotation", "default", "made"),
    [
        ("int", 5, Setting("x", 5, int)),
        ("bool | None", None, Setting("x", None, bool)),
        ("str | os.PathLike[str] | None", None, Setting("x", None, str)),
        ("Any", None, Setting("x", None, str)),
        ("Sequence[int]", (2, 3), Setting("x", (2, 3), int, many=True)),
        ("str | Sequence[str]", "eng", Setting("x", "eng", str, many=True, alone=True)),
        ("int | str | None", None, Setting("x", None, str, number=True)),
        ("float | None", 5.0, Setting("x", 5.0, str, number=True, none=True)),
        ("tuple[int, int]", (0, 10), Setting("x", (0, 10), tuple[int, int])),
        ("Literal['a', 'b']", "a", Setting("x", "a", str)),
        ("Mapping[str, Sequence[Any]] | None", None, Setting("x", None, str)),
    ],
)
def test_an_annotation_decides_what_is_typed(annotation, default, made):
    kind = inspect.Parameter.KEYWORD_ONLY
    assert as_setting(inspect.Parameter("x", kind, annotation=annotation, default=default)) == made


@pytest.mark.parametrize(
    ("setting", "typed", "given"),
    [
        (Setting("x", "eng", str, many=True, alone=True), ["deu"], "deu"),
        (Setting("x", "eng", str, many=True, alone=True), ["deu", "eng"], ["deu", "eng"]),
        (Setting("x", None, int, many=True), [1], [1]),
        (Setting("x", None, str, number=True), "12", 12),
        (Setting("x", None, str, number=True), "sample", "sample"),
        (Setting("x", 0.5, str, number=True), "0.7", 0.7),
        (Setting("x", "none", str, number=True), "none", "none"),
        (Setting("x", 300, str, number=True, none=True), "none", None),
        (
            Setting("codes", None, str, many=True),
            ["a=yes,no", "b", "c=1..7", "d=text"],
            {"a": ["yes", "no"], "b": "binary", "c": [1, 7], "d": "text"},
        ),
    ],
)
def test_what_is_typed_reaches_the_verb_as_it_takes_it(setting, typed, given):
    assert setting.typed(typed) == given
    assert type(setting.typed(typed)) is type(given)


def test_help_loads_nothing_heavy():
    script = (
        "import sys, contextlib; sys.argv = ['imagestrata', *{words}]\n"
        "from imagestrata import cli\n"
        "with contextlib.suppress(SystemExit): cli.main()\n"
        "heavy = {heavy} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    light = {"torch", "torchvision", "sklearn", "pandas", "numpy", "matplotlib", "cv2"}
    for words, heavy in ((["--help"], light), (["scan", "--help"], {"torch", "sklearn"}),
                         (["run", "--help"], {"torch", "torchvision", "matplotlib"})):  # fmt: skip
        done = subprocess.run([sys.executable, "-c", script.format(words=words, heavy=heavy)],
                              capture_output=True, text=True)  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "Usage" in done.stdout


@pytest.fixture
def posts(tmp_path) -> Path:
    """Twelve images in a folder, and a table with a row for ten of them."""
    write_files(tmp_path / "data" / "images", {f"{i}.png": encode(picture(i)) for i in range(12)})
    table = pd.DataFrame({
        "path": [f"images/{i}.png" for i in range(10)],
        "author": ["Ann", "Bo"] * 5,
        "likes": range(10),
        "code": [f"{i:03d}" for i in range(10)],
    })  # fmt: skip
    table.to_csv(tmp_path / "data" / "posts.csv", index=False)
    return tmp_path / "data" / "posts.csv"


QUICK = ["--encoder", "hog", "--method", "kmeans", "--n-clusters", 2, "--n-per-cluster", 2, "-q"]


def test_a_table_with_metadata_is_run_and_its_columns_travel(posts, tmp_path):
    call("run", posts, "--out", tmp_path / "run", *QUICK)
    given = pd.read_csv(posts, dtype={"code": str}).set_index("path")
    for name in ("images.parquet", "clustering.parquet", "sample.csv"):
        file = tmp_path / "run" / name
        found = pd.read_csv(file, dtype={"code": str}) if name.endswith("csv") else (
            pd.read_parquet(file)
        )  # fmt: skip
        assert len(found) == (4 if name == "sample.csv" else 10)
        for row in found.to_dict("records"):
            mine = given.loc[f"images/{Path(row['path']).name}"]
            assert (row["author"], row["likes"], row["code"]) == tuple(mine), name
    again = call("run", posts, "--out", tmp_path / "run", *QUICK)
    assert again.startswith("10 files: 10 distinct images")


def test_names_of_files_are_looked_for_in_the_folder_that_is_given(posts, tmp_path):
    table = pd.read_csv(posts).assign(file=lambda t: t["path"].str.removeprefix("images/"))
    table.drop(columns="path").to_csv(tmp_path / "names.csv", index=False, sep=";")
    with pytest.raises(ImagestrataError, match=r"None of 10 files in .*names\.csv' exists") as said:
        call("scan", tmp_path / "names.csv", "--out", tmp_path / "run", "-q")
    assert "folder" in said.value.hint
    words = ["scan", tmp_path / "names.csv", "--folder", posts.parent / "images"]
    assert json.loads(call(*words, "--out", tmp_path / "run", "-q", "--json"))["n_images"] == 10
    table.rename(columns={"file": "picture"}).drop(columns="path").to_csv(posts, index=False)
    with pytest.raises(ImagestrataError, match="no column 'path' or 'file'; its columns are"):
        call("scan", posts, "--out", tmp_path / "other", "-q")


def test_a_file_that_is_missing_is_a_row_with_its_reason(posts, tmp_path):
    (posts.parent / "images" / "3.png").unlink()
    found = json.loads(call("scan", posts, "--out", tmp_path / "run", "-q", "--json"))
    assert (found["n_files"], found["n_images"], found["n_rejected"]) == (10, 9, 1)


SETTINGS = """
seed = 4

[scan]
min_side = 20

[embed]
encoder = "hog"
seed = 5

[cluster]
method = "kmeans"
n_clusters = 3

[sample]
n_per_cluster = 2

[coding-sheet]
codes = {people = ["yes", "no"]}
n = 2

[gallery]
n_typical = 3
n_clusters = 1
map = "pca"
"""


@pytest.fixture
def settings(tmp_path) -> Path:
    file = tmp_path / "run.toml"
    file.write_text(SETTINGS)
    return file


def steps_of(run: Path) -> dict[str, dict]:
    steps = json.loads((run / "run.json").read_text())["steps"]
    return {name: step["settings"] for name, step in steps.items()}


def test_settings_stand_in_a_file_and_the_command_line_wins(posts, settings, tmp_path):
    run = tmp_path / "run"
    call("run", posts, "--out", run, "--config", settings, "--n-clusters", 2, "-q")
    made = steps_of(run)
    assert made["scan"]["min_side"] == 20
    assert made["embed"]["encoder"] == "hog"
    assert (made["cluster"]["n_clusters"], made["cluster"]["seed"]) == (2, 4)
    assert (made["sample"]["n_per_cluster"], made["sample"]["seed"]) == (2, 4)
    assert made["gallery"]["n_typical"] == 3
    assert (run / "map.png").exists()
    call("cluster", run, "--config", settings, "--overwrite", "--seed", 6, "-q")
    made = steps_of(run)
    assert (made["cluster"]["n_clusters"], made["cluster"]["seed"]) == (3, 6)
    sheet = json.loads(call("coding-sheet", run, "--config", settings, "-q", "--json"))
    assert pd.read_csv(sheet["table"]).columns[-3] == "people"


def test_options_of_the_command_itself_stand_there_too(posts, settings, tmp_path):
    settings.write_text(f'out = "{tmp_path / "run"}"\n{SETTINGS}\n[run]\nname = "mine"\n')
    call("scan", posts, "--config", settings, "-q")
    assert list(steps_of(tmp_path / "run")) == ["scan"]
    settings.write_text(settings.read_text().replace("[embed]", '[embed]\nname = "other"'))
    call("run", posts, "--config", settings, "-q")
    assert "cluster" in steps_of(tmp_path / "run" / "variants" / "mine")


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("[cluster]\nn_cluster = 3", r"unknown key 'n_cluster' in \[cluster\]", "n_clusters"),
        ("[cluster]\nn-clusters = 3", "unknown key 'n-clusters'", "n_clusters"),
        ("[clutser]\nk = 3", r"unknown section \[clutser\]", "cluster"),
        ("sed = 3", "unknown key 'sed' outside of a section", "seed"),
        ("k = 3", "unknown key 'k' outside of a section", "belong to the section"),
        ("[cluster]\nimages = 3", r"unknown key 'images' in \[cluster\]", "Its keys"),
        ("[cluster\nk = 3", "cannot be read", "must be TOML"),
    ],
)
def test_what_a_file_may_not_say_is_refused(text, said, hint, tmp_path):
    file = tmp_path / "run.toml"
    file.write_text(text)
    with pytest.raises(ImagestrataError, match=said) as refused:
        call("cluster", tmp_path, "--config", file)
    assert hint in refused.value.hint


def test_files_of_settings_that_are_not_there_are_named(tmp_path):
    absent = tmp_path / "no.toml"
    with pytest.raises(ImagestrataError, match=r"There is no file '.*no\.toml'"):
        call("cluster", tmp_path, "--config", absent)
    with pytest.raises(ImagestrataError, match=r"There is no file '.*no\.toml'"):
        read_grid(str(absent))


def test_a_value_of_a_file_is_checked_by_its_verb(posts, tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('[cluster]\nmethod = "kmeans"\nn_clusters = 0')
    with pytest.raises(ImagestrataError, match="`n_clusters` must be at least 1"):
        call("run", posts, "--out", tmp_path / "run", "--encoder", "hog", "--config", file, "-q")
    assert not (tmp_path / "run" / "images.parquet").exists()


def test_the_file_of_the_documentation_is_accepted(tmp_path):
    page = Path(__file__).parents[2] / "docs" / "command-line.md"
    file = tmp_path / "run.toml"
    file.write_text(page.read_text().split("```toml\n")[1].split("```")[0])
    found = read_config(file, COMMANDS)
    assert found[""] == {"seed": 1}
    assert found["tune"]["grid"]["k"] == [10, 15, 20]


def test_the_settings_of_a_file_reach_every_verb_of_a_command(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('seed = 7\n[tune]\nrule = "all"\ngraded = true\n[tune.grid]\nk = [2, 3]')
    command = COMMANDS["tune"]
    settings = Settings(command, {"folds": 3}, read_config(file, COMMANDS), False)
    assert settings("consensus") == {"rule": "all"}
    assert settings("read_pairs") == {"graded": True}
    wanted = {"grid": {"k": [2, 3]}, "folds": 3, "seed": 7, "progress": False, "out": "run"}
    assert settings("tune_clusters", out="run") == wanted
    run = Settings(COMMANDS["run"], {"n_clusters": 5}, {"gallery": {"n_clusters": 2}}, True)
    assert run("cluster_images")["n_clusters"] == 5
    assert run("plot_montage") == {"n_clusters": 2}
