"""The report: known answers on made tables, the same sentences in two languages, names that do no harm, one file that asks for nothing and
that people can read without a mouse, in the dark, or without a script."""

import base64
import hashlib
import html
import json
import re
import shlex
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer

import cli
from cleaning.decisions import COLUMNS, CleaningSettings
from models.evaluation import metrics
from models.lgbm import LgbmParameters
from models.recipes import CnnParameters, cnn_parameters
from reports.report import Contents, Note, page
from reports.report_dataset import answers, majority_labels
from reports.report_made import Where, commands
from reports.report_models import PROBABILITY, Experiment, ModelFacts, Part, cells_of
from reports.report_texts import LANGUAGES, TEMPLATES, Texts, catalogue, placeholders
from reports.thumbnails import Album
from scoring import intervals_of, judged_of

CLASSES = ["<script>alert(1)</script>", "나무", "cat", "dog"]
EVIL = "<script>alert(2)</script>.png"
REPORTS = TEMPLATES.parent


def manifest_of(counts: dict[str, int], broken: int = 0) -> pd.DataFrame:
    """A manifest with so many pictures per label, the first ones ``broken``."""
    rows = [(f"{label.replace('/', '')}/{i}-{EVIL}", label) for label, n in counts.items() for i in range(n)]
    n = len(rows)
    order = np.arange(n)
    table = pd.DataFrame({"label": [label for _, label in rows], "bytes": 100, "modified_ns": 0,
                          "sha256": [hashlib.sha256(path.encode()).hexdigest() for path, _ in rows], "format": np.where(order % 4, "JPEG", "PNG"),
                          "mode": "RGB", "width": np.where(order % 2, 300, 700), "height": 300, "mean_pixel": 220.0, "issue": "", "group": "",
                          "fold": order % 5 - 1}, index=pd.Index([path for path, _ in rows], name="path"))
    table.iloc[:broken, table.columns.get_loc("issue")] = "damaged JPEG: <b>cut off</b>"
    table.attrs["root"] = "/nowhere/set"
    return table


def decisions_of(manifest: pd.DataFrame) -> pd.DataFrame:
    """Every reason once or more: the first pictures of the largest label."""
    table = pd.DataFrame({"label": manifest["label"], "keep": True, "reason": "", "score": 1.0, "evidence": "", "duplicate_group": "",
                          "photo_score": 1.0, "label_score": 0.9, "decided_by": "machine"}, index=manifest.index)[COLUMNS]
    paths = list(manifest.index)
    first = paths[9]
    left = [("unreadable", "damaged JPEG: <b>cut off</b>", ""), ("photo", "grain", ""), ("exact_duplicate", f"repeats {first}", "g1"),
            ("near_duplicate", f"repeats {first}, mirrored", "g1"), ("label_conflict", f"the same picture as {first}, under labels 1 x a", "g1")]
    for path, (reason, evidence, group) in zip(paths, left, strict=False):
        table.loc[path, ["keep", "reason", "score", "evidence", "duplicate_group"]] = [False, reason, 0.1, evidence, group]
    table.loc[paths[1], "photo_score"] = 0.1
    table.loc[paths[5], ["reason", "score", "evidence"]] = ["wrong_label", 0.1, "perhaps 나무 (probability 0.93)"]
    table.loc[first, "duplicate_group"] = "g1"
    return table


def part_of(manifest: pd.DataFrame, name: str, right: float = 0.7) -> Part:
    """Predictions that are right for a share of the pictures."""
    rng = np.random.default_rng(0)
    proba = rng.dirichlet(np.ones(len(CLASSES)), len(manifest))
    codes = manifest["label"].map({label: i for i, label in enumerate(CLASSES)}).to_numpy(int)
    hit = rng.random(len(codes)) < right
    proba[hit] = np.eye(len(CLASSES))[codes[hit]] * 0.8 + 0.05
    predicted = np.array(CLASSES, dtype=object)[np.where(hit, codes, proba.argmax(1))]
    table = pd.concat([manifest[["sha256", "label"]].assign(predicted=predicted, group=manifest["sha256"]),
                       pd.DataFrame(proba, index=manifest.index, columns=[PROBABILITY + label for label in CLASSES])], axis=1)
    scored = metrics(table["label"].to_numpy(object), predicted, proba, CLASSES)
    return Part(name, table, scored, intervals_of(judged_of(table, CLASSES), CLASSES, 0))


def tiles_of(n: int) -> np.ndarray:
    """n pages with a bar each, all different."""
    tiles = np.full((n, 128, 128, 3), 255, np.uint8)
    for i, tile in enumerate(tiles):
        tile[20 + i % 60:60, 10 + i % 97:100] = (i * 37 % 200, i % 251, 90)
    return tiles


def contents_of(counts: dict[str, int] | None = None, right: float = 0.7, tiles: int | None = None) -> Contents:
    """Contents with something in every part; of the last picture there is no tile."""
    manifest = manifest_of(counts or dict(zip(CLASSES, (40, 12, 8, 6), strict=True)), broken=1)
    n = len(manifest) - 1 if tiles is None else tiles
    album = Album(tiles_of(n), {sha: i for i, sha in enumerate(manifest["sha256"].iloc[:n])})
    decisions = decisions_of(manifest)
    good = manifest[decisions["keep"]]
    parts = {name: part_of(good[(good["fold"] == -1) == (name == "held_out")], name, right) for name in ("held_out", "out_of_fold")}
    card = {"model": "lgbm", "classes": CLASSES, "parameters": {"balance": "smote", "seed": 3}, "folds": 4, "sha256": "ab" * 32,
            "data_digest": "cd" * 32, "importance": {"kernel": 0.6, "lbp": 0.4}}
    model = ModelFacts("lgbm", card, parts)
    table = parts["held_out"].table
    wrong = table[table["label"] != table["predicted"]]
    errors = pd.DataFrame({"true": wrong["label"], "predicted": wrong["predicted"], "p_true": 0.1, "p_predicted": 0.8, "sha256": wrong["sha256"]})
    history = pd.DataFrame({"network": 0, "epoch": [1, 2, 3], "loss": [2.0, 1.5, 1.2], "log_loss": [2.1, 1.8, 1.7], "macro_f1": [0.1, 0.3, 0.4],
                            "accuracy": [0.2, 0.4, 0.5]})
    slices = pd.DataFrame({"attribute": ["format", "own: <i>who</i>"], "value": ["JPEG", "low (1 … 2.95e+03)"], "n": [20, 30],
                           "share_right": [0.5, 0.7], "rest": [0.8, 0.7], "difference": [-0.3, 0.0], "low": [-0.4, -0.1], "high": [-0.2, 0.1]})
    settings = pd.DataFrame({"macro_f1": [0.7, 0.6], "low": [0.65, np.nan], "high": [0.75, np.nan], "common": [0.69, np.nan], "runs": [3, 1],
                             "difference": [0.0, np.nan], "difference_low": np.nan, "difference_high": np.nan}, index=["as it is", EVIL])
    ablation = Experiment("ablation", "What it is <worth>", "macro_f1", "out_of_fold", settings, True)
    photo_facts = pd.DataFrame([[0.05, 0.4, 6.1, 0.3]], index=manifest.index[1:2], columns=list("abcd"))
    methods = [{"method": "gmm", "photos": 1, "n": 60, "silhouette": 0.4, "davies_bouldin": float("nan"), "sampled": False}]
    runs = {1: {"when": "2026-01-02T03:04:05", "model": "lgbm", "data_digest": "cd" * 32, "parameters": {"seed": 3}, "seconds": 5,
                "metrics": {"held_out": {"macro_f1": 0.5}}}}
    return Contents(Path("/nowhere/set"), datetime(2026, 1, 2, tzinfo=UTC), album, manifest, decisions, {}, photo_facts, methods, [model], model,
                    slices, "held out", history, errors, [ablation], runs, {"python": "3.11"}, "f" * 16, [Note("moved", {"root": "/nowhere/<b>"})])


@pytest.fixture(scope="module")
def made() -> tuple[Contents, dict[str, str]]:
    """Contents and their page in every language."""
    contents = contents_of()
    return contents, {language: page(contents, Texts(language)) for language in LANGUAGES}


def test_both_languages_say_the_same() -> None:
    """Every text stands in both languages with the same placeholders, and the report uses no other."""
    for key, texts in catalogue().items():
        assert set(texts) == set(LANGUAGES), key
        assert placeholders(texts["en"]) == placeholders(texts["ko"]), key
        assert all(texts.values()), key
    code = "\n".join(file.read_text(encoding="utf-8") for file in [*REPORTS.glob("*.py"), *TEMPLATES.glob("*.html")])
    assert set(re.findall(r"""\bt\(f?["']([a-z_]+\.[a-z_0-9]+)["']""", code)) <= set(catalogue())


def test_one_and_many() -> None:
    """A word after a number is the singular for one only; lists end in a word, long ones in a number."""
    t = Texts("en")
    assert t("dataset.files", files=1, labels=2) == "1 file in 2 labels."
    assert [t.listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
    assert t.listed([str(i) for i in range(9)], 2) == "0, 1 and 7 more"


def test_questions_have_known_answers() -> None:
    """The contest's set, in its proportions: two labels hold half, the others' mean is what undersampling would leave of each."""
    manifest = manifest_of({"L2_25": 618, "L2_33": 620, "L2_40": 18, **{f"L2_{i}": 90 for i in range(3, 17)}}, broken=5)
    told = dict(answers(manifest, None, Texts("en")))
    assert told["How are the pictures spread over the labels?"] == (
        "2,516 files in 17 labels. L2_33 and L2_25 hold 49% of all pictures. The smallest label, L2_40, has 18; the largest, "
        "L2_33, has 34.4 times as many.")
    assert "Undersampling L2_33 and L2_25 to the mean of the others, 85, would leave 1,448 pictures" in told["How uneven is that?"]
    assert told["Which files are broken?"] == "5 files give no pixels (0.20%): damaged JPEG (5)."
    assert "300×300 (50%)" in told["Which sizes and formats are there?"] and "sides from 300 to 700 px" in told["Which sizes and formats are there?"]
    assert "Are there duplicates, and were they removed?" not in told  # nobody has looked


def test_dark_labels_and_photographs_are_told_together() -> None:
    """Where labels are dark, the share of photographs in them and elsewhere is told."""
    manifest = manifest_of(dict.fromkeys("abcdef", 20))
    manifest.loc[manifest["label"] == "c", "mean_pixel"] = 90.0
    decisions = decisions_of(manifest).assign(reason="", keep=True)
    decisions.loc[manifest["label"] == "c", "reason"] = "photo"
    told = dict(answers(manifest, decisions, Texts("en")))
    assert "c (90) is far below the middle label's 220" in told["Which labels are darker than the rest?"]
    assert "Of the files there 100% were found to be photographs, elsewhere 0%." in told["Which labels are darker than the rest?"]
    assert told["Are photographs mixed with the drawings?"] == "Yes: 20 photographs were left out, 16.7% of all files, most of them in c (20)."


@pytest.mark.parametrize(("counts", "large"), [({"a": 10, "b": 10, "c": 10}, []), ({"a": 100, "b": 90, "c": 10, "d": 10, "e": 10}, ["a", "b"]),
                                               ({"a": 5}, []), ({"a": 900, "b": 100, "c": 10, "d": 10, "e": 10}, ["b", "a"][::-1][:2])])
def test_majority_labels_end_at_the_steepest_fall(counts: dict[str, int], large: list[str]) -> None:
    """Of the labels of more than twice the middle one's pictures."""
    assert majority_labels(pd.Series(counts)) == large


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_are_text_and_nothing_is_fetched(made: tuple[Contents, dict[str, str]], language: str) -> None:
    """Labels, paths and evidence are escaped everywhere, the policy allows only this very style and script, and no address leads out of the file."""
    text = made[1][language]
    assert "<script>alert" not in text and "<b>cut off" not in text and "<i>who" not in text and "/nowhere/<b>" not in text
    assert html.escape(EVIL, quote=False) in text
    assert re.findall(r"<script[^>]*>", text) == ['<script type="application/json" id="cells">', "<script>"]
    addresses = re.findall(r'\b(?:src|srcset|href|action|poster)="([^"]*)"', text)
    assert {address[:1] for address in addresses} == {"#", "d"}
    assert all(address.startswith("data:image/webp;base64,") for address in addresses if address[0] == "d")
    assert "url(" not in text and "@import" not in text
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1])
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    for kind in ("style", "script"):
        inside = re.search(f"<{kind}>(.*?)</{kind}>", text, re.DOTALL)[1]
        assert f"{kind}-src 'sha256-{base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()}'" in policy
    assert 'style="' not in text


def test_the_cells_are_the_confusion_matrix(made: tuple[Contents, dict[str, str]]) -> None:
    """The script's table has every cell's pictures, at most so many, surest first, and its names come back whole."""
    contents, texts = made
    told = json.loads(re.search(r'id="cells">(.*?)</script>', texts["en"], re.DOTALL)[1])
    assert told["labels"] == CLASSES
    table = contents.chosen.parts["out_of_fold"].table
    for i, true in enumerate(CLASSES):
        for j, predicted in enumerate(CLASSES):
            own = table[(table["label"] == true) & (table["predicted"] == predicted)]
            pictures = told["cells"]["out_of_fold"].get(f"{i},{j}", [])
            assert len(pictures) == min(len(own), 6 if i == j else 24)
            assert {path for _, path, _, _ in pictures} <= set(own.index)


def test_pictures_are_embedded_once_and_missing_ones_counted(made: tuple[Contents, dict[str, str]]) -> None:
    """Every picture that is shown lies in the page once; one without a tile is a placeholder, and a note counts it."""
    contents, texts = made
    symbols = re.findall(r'<symbol id="(\w+)"', texts["en"])
    assert len(symbols) == len(set(symbols))
    used = set(re.findall(r'<use href="#(\w+)"', texts["en"])) | set(re.findall(r'\["(\w+)","', texts["en"]))
    assert used == set(symbols)
    assert len(contents.album.missing) == 1
    assert "1 picture is not in the cache" in texts["en"]


def test_evidence_stands_beside_the_picture(made: tuple[Contents, dict[str, str]]) -> None:
    """A duplicate with its original, a suspect with the suggested label, a photograph with its features, a broken file with why."""
    t, text = Texts("en"), made[1]["en"]
    cleaning = text[text.index('id="cleaning"'):text.index('id="models"')]
    assert cleaning.count('<span class="role">stays</span>') == 2
    assert "perhaps 나무 (93%)" in cleaning
    assert t("card.photo", zero=0.05, top=0.4, entropy=6.1, flat=0.3) in cleaning
    assert "damaged JPEG: &lt;b&gt;cut off" in cleaning
    assert "What it is &lt;worth&gt;" in cleaning


def test_a_page_with_less_says_what_makes_the_rest() -> None:
    """Without decisions and models, with one picture, or with nothing wrong, the page is whole."""
    full = contents_of()
    missing = {"cleaning": "python cli.py clean", "models": "python cli.py train", "ablation": "x", "causes": "y", "importance": "z"}
    bare = Contents(full.root, full.when, full.album, full.manifest, missing=missing)
    text = page(bare, Texts("en"))
    assert "<code>python cli.py clean</code>" in text and "<code>python cli.py train</code>" in text
    perfect = contents_of(right=1.0)
    assert "Not one picture was wrong." in page(perfect, Texts("en"))
    alone = manifest_of({"": 1})
    page(replace(bare, manifest=alone), Texts("ko"))
    page(replace(bare, manifest=alone.assign(issue="empty file")), Texts("ko"))


def test_a_large_set_makes_no_larger_page() -> None:
    """However many pictures are wrong, their cells together embed no more than the limit, and every cell still has one."""
    manifest = manifest_of({f"{i}": 40 for i in range(30)})
    labels = [f"{i}" for i in range(30)]
    predicted = np.array(labels, dtype=object)[np.random.default_rng(0).integers(30, size=len(manifest))]
    proba = pd.DataFrame(1 / 30, index=manifest.index, columns=[PROBABILITY + label for label in labels])
    part = Part("held_out", pd.concat([manifest[["sha256", "label"]].assign(predicted=predicted), proba], axis=1), {}, {})
    album = Album(np.zeros((0, 128, 128, 3), np.uint8), {})
    cells = json.loads(cells_of(ModelFacts("lgbm", {"classes": labels}, {"held_out": part}), album, most=600))["cells"]["held_out"]
    assert len(cells) == pd.DataFrame({"t": manifest["label"], "p": predicted}).drop_duplicates().shape[0]
    assert 600 <= sum(map(len, cells.values())) <= 600 + len(cells)


def assert_can_be_typed(lines: list[str]) -> None:
    """Every line is one that the program takes."""
    program = typer.main.get_command(cli.app)
    for line in lines:
        words = shlex.split(line)
        assert words[:2] == ["python", "cli.py"]
        command = program.commands[words[2]]  # type: ignore[attr-defined]
        command.make_context(words[2], words[3:])


def test_commands_are_of_this_folder_and_these_options() -> None:
    """Folders that are not the usual ones, a limit of pixels, groups with a blank in their name, networks that trusted labels, bases that were
    taught by a folder without labels: as the program takes them."""
    cnn = asdict(cnn_parameters("balanced", chosen={"trust_labels": True}))
    settings = {**asdict(CleaningSettings()), "groups": "my groups.csv"}
    where = Where(" --data 'my pictures'", " --artifacts elsewhere")
    card = {"model": "cnn", "parameters": cnn, "folds": 5, "networks": 5, "max_pixels": 7, "refit": True}
    lgbm = {"model": "lgbm", "parameters": asdict(LgbmParameters()), "folds": 5}
    stack = {"model": "stack", "parameters": {"blend": "mean", "seed": 0}, "folds": 5, "refit": True}
    made = commands({"settings": settings}, [ModelFacts(str(c["model"]), c, {}) for c in (lgbm, card, stack)], where)
    assert_can_be_typed(made)
    assert made[1] == "python cli.py clean --data 'my pictures' --artifacts elsewhere --max-pixels 7 --groups 'my groups.csv'"
    assert made[3].endswith("--preset balanced --trust-labels --folds 5 --refit")
    assert made[4].endswith("--blend mean --folds 5 --keep-bases")
    assert made[-2] == "python cli.py evaluate --model elsewhere/stack.joblib --artifacts elsewhere --errors"
    taught = {**stack, "pseudo_label": {"folder": "test", "floor": 0.8, "cap": 0.25}, "base_parameters": {"lgbm": lgbm["parameters"], "cnn": cnn}}
    made = commands({}, [ModelFacts(str(c["model"]), c, {}) for c in (lgbm, card, taught)])
    assert_can_be_typed(made)
    trainings = [line for line in made if " train " in line]
    assert len(trainings) == 1
    assert "--pseudo-label test --pseudo-floor 0.8 --pseudo-cap 0.25" in trainings[0]


@pytest.mark.parametrize("name", [f.name for f in fields(CnnParameters) if isinstance(f.default, bool)])
def test_every_switch_of_a_network_can_be_typed(name: str) -> None:
    """Turned the other way, one by one."""
    plain = cnn_parameters()
    turned = asdict(replace(plain, **{name: not getattr(plain, name)}))
    assert_can_be_typed(commands({}, [ModelFacts("cnn", {"model": "cnn", "parameters": turned, "folds": 5, "networks": 1}, {})]))


def test_pictures_that_no_cell_shows_are_not_embedded() -> None:
    """Of sixty labels the matrix shows forty; pictures of the others would only make the page longer."""
    classes = [f"L{i}" for i in range(60)]
    manifest = pd.DataFrame({"label": np.repeat(classes, 4), "sha256": [f"{i:064d}" for i in range(240)]}, index=[f"{i}.png" for i in range(240)])
    predicted = np.array(classes, dtype=object)[(np.repeat(np.arange(60), 4) + np.tile([0, 0, 0, 1], 60)) % 60]
    table = pd.concat([manifest.assign(predicted=predicted, group=manifest["sha256"]),
                       pd.DataFrame(1 / 60, index=manifest.index, columns=[PROBABILITY + label for label in classes])], axis=1)
    album = Album(tiles_of(240), {sha: i for i, sha in enumerate(manifest["sha256"])})
    cells_of(ModelFacts("lgbm", {"classes": classes}, {"held_out": Part("held_out", table, {}, {})}), album)
    assert 40 <= len(album.files) <= 40 * 4


def test_commands_make_it_again() -> None:
    """The options are those that were used, as the command line has them."""
    card = {"model": "cnn", "parameters": {"arch": "scratch", "seed": 1}, "folds": 5, "judged_folds": 1}
    card["parameters"] = asdict(cnn_parameters("best", chosen={"mirror": False, "patience": 3, "seed": 1}))
    settings = {"checks": ["photos"], "radius": 5, "turned": True, "seed": 0}
    made = commands({"settings": settings}, [ModelFacts("cnn", card, {})])
    assert_can_be_typed(made)
    assert made[1] == "python cli.py clean --skip duplicates --skip labels --radius 5 --turned"
    assert made[2] == "python cli.py train --model cnn --seed 1 --arch scratch --preset best --patience 3 --no-mirror"


def test_the_command_writes_the_page(small_set: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After features alone, in Korean; pictures that have gone since are shown from the cache and counted; nothing extracted is one line of
    trouble."""
    artifacts = tmp_path / "artifacts"
    assert cli.main(["report", "--artifacts", str(artifacts)]) == 1
    assert "python cli.py features" in capsys.readouterr().err
    assert cli.main(["features", "--data", str(small_set), "--artifacts", str(artifacts), "--jobs", "1"]) == 0
    (small_set / "cat" / "cat0.png").unlink()
    capsys.readouterr()
    assert cli.main(["report", "--artifacts", str(artifacts), "--lang", "ko", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["missing"]["models"] == f"python cli.py train --data {small_set} --artifacts {artifacts}"
    assert told["placeholders"] == 0
    text = (artifacts / "report.html").read_text(encoding="utf-8")
    assert 'lang="ko"' in text
    assert "파일 1개가 사라졌습니다" in text
    small_set.rename(tmp_path / "elsewhere")
    assert cli.main(["report", "--artifacts", str(artifacts), "--out", str(tmp_path / "moved.html")]) == 0
    assert "is not there any more" in (tmp_path / "moved.html").read_text(encoding="utf-8")


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(chromium: Any, serious_violations: Callable[[Any], list[str]], made: tuple[Contents, dict[str, str]], tmp_path: Path,
                               scheme: str) -> None:
    """No serious violation wide or narrow, nothing scrolls sideways, no request but for the file itself, no complaint of the policy."""
    file = tmp_path / "report.html"
    file.write_text(made[1]["ko" if scheme == "dark" else "en"], encoding="utf-8")
    asked, said = [], []
    for width in (1280, 390):
        tab = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=False)
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("console", lambda message: said.append(message.text))
        tab.goto(file.as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        tab.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
        assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
        assert said == []
        assert serious_violations(tab) == []
        asked.clear()
        tab.close()


@pytest.mark.browser
def test_the_confusion_matrix_by_keyboard(chromium: Any, made: tuple[Contents, dict[str, str]], tmp_path: Path) -> None:
    """One stop of the tab key; arrows move, Enter shows the cell's pictures, another part has its own matrix; without a script it is a table."""
    file = tmp_path / "report.html"
    file.write_text(made[1]["en"], encoding="utf-8")
    tab = chromium.new_page(viewport={"width": 1280, "height": 900})
    tab.goto(file.as_uri())
    held_out = tab.locator(".matrix:not([hidden])")
    assert held_out.get_attribute("data-part") == "held_out"
    assert held_out.locator("button[tabindex='0']").count() == 1
    held_out.locator("button").first.focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowDown", "ArrowRight", "ArrowUp", "ArrowLeft"):
        tab.keyboard.press(key)
    tab.keyboard.press("Enter")
    n = int(held_out.locator("button").first.inner_text())
    told = tab.locator(".shown")
    assert f"{CLASSES[0]} told rightly: {n}" in told.inner_text()
    assert told.locator("svg").count() == min(n, 6)
    assert tab.locator("[aria-pressed=true]").count() == 1
    tab.locator("#part-held_out").focus()
    tab.keyboard.press("ArrowRight")
    assert tab.locator(".matrix:not([hidden])").get_attribute("data-part") == "out_of_fold"
    tab.close()
    plain = chromium.new_context(java_script_enabled=False).new_page()
    plain.goto(file.as_uri())
    assert plain.locator(".confusion td[data-cell]").count() == 2 * len(CLASSES) ** 2
    assert plain.locator(".confusion button").count() == 0
    plain.context.close()
