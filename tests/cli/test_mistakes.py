"""The most likely mistakes of users, each with the exact message: what is wrong, where, and what to do."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from tests.cli.running import Runner

MISTAKES = [
    (
        "finetun --data polarity",
        'there is no command "finetun"; did you mean "finetune"?',
    ),
    (
        "train --data polarity",
        'there is no command "train"; did you mean "finetune" or "pretrain"?',
    ),
    (
        "finetune",
        "--data is missing, as in: albertkit finetune --model albert-nano --data polarity --out runs/polarity",
    ),
    (
        "finetune --data polarty",
        'unknown data set "polarty"; did you mean "polarity"?',
    ),
    (
        "finetune --data glue/sst",
        'unknown data set "glue/sst"; did you mean "glue/sst2"?',
    ),
    (
        "finetune --data review.csv",
        'review.csv does not exist; did you mean "reviews.csv"?',
    ),
    (
        "finetune --data s3://bucket/reviews.csv",
        "s3://bucket/reviews.csv is an address, and files are read from this machine; copy it here first",
    ),
    (
        "predict albert-nano --input s3://bucket/reviews.csv",
        "s3://bucket/reviews.csv is an address, and files are read from this machine; copy it here first",
    ),
    (
        "finetune --data reviews.csv",
        "reviews.csv: no column for the label (there are: review, stars; looked for label, labels, class, "
        "category, sentiment, target, gold_label); give --label-column",
    ),
    (
        "finetune --data reviews.csv --text-column reviw",
        'reviews.csv: no column "reviw" for the text (there are: review, stars); did you mean "review"?',
    ),
    (
        "finetune --data reviews.csv --text-column review --label-column star",
        'reviews.csv: no column "star" for the label (there are: review, stars); did you mean "stars"?',
    ),
    (
        "finetune --data reviews.csv --text_column review",
        'there is no option "--text_column"; did you mean "--text-column"?',
    ),
    (
        "finetune --data polarity --epoch 3",
        'there is no option "--epoch"; did you mean "--epochs"?',
    ),
    (
        "finetune --data polarity --lr fast",
        "Invalid value for '--learning-rate' / '--lr': 'fast' is not a valid float.",
    ),
    (
        "finetune --data polarity --epochs 0",
        "epochs is 0; it must be 1 or more",
    ),
    (
        "finetune --data polarity --validation 1.5",
        "the share is 1.5; it must be between 0 and 1, such as 0.1",
    ),
    (
        "finetune --data polarity --validation 0.1 --validation-split dev",
        "validation (a share of train) and validation-split are both given; leave one of them out",
    ),
    (
        "finetune --data polarity --epochs 2 --steps 10",
        "epochs and steps are both given; leave one of them out",
    ),
    (
        "finetune --data polarity --model albert-bas-v2",
        'No model "albert-bas-v2": not a path, and not listed by `albertkit models`; did you mean "albert-base-v2"?',
    ),
    (
        "finetune --data polarity --model bert-base-uncased",
        'No model "bert-base-uncased": not a path, and not listed by `albertkit models`; did you mean '
        '"albert-base-v2"?',
    ),
    (
        "finetune --data polarity --model albert-base-v2",
        "albert-base-v2 is not on this machine and downloads are turned off; on another machine, download "
        "the files from https://huggingface.co/albert/albert-base-v2, then put config.json, spiece.model, "
        "model.safetensors or pytorch_model.bin into {cache}/models/albert-base-v2/hub",
    ),
    (
        "finetune --data polarity --out full",
        "full exists and is not empty; give another --out",
    ),
    (
        "finetune --data polarity --device gpu",
        'unknown device "gpu"; use cpu, cuda, cuda:1 or mps',
    ),
    (
        "finetune --data polarity --precision fp8",
        "Invalid value for '--precision': 'fp8' is not one of 'auto', 'fp32', 'bf16', 'fp16', 'int8'.",
    ),
    (
        "finetune --data polarity --optimizer sgd",
        "Invalid value for '--optimizer': 'sgd' is not one of 'adamw', 'adam', 'lamb'.",
    ),
    (
        "finetune --data polarity --task clasification",
        'unknown task "clasification"; did you mean "classification"? (known: classification, multilabel, '
        "multiple_choice, question_answering, question_answering_null, question_answering_v2, regression, "
        "similarity, token_classification)",
    ),
    (
        "finetune --data polarity --text-column text",
        'text_column "text" works only with a table, but polarity is a known data set; leave it out',
    ),
    (
        "finetune --data polarity --head-hidden a,b",
        "Invalid value for '--head-hidden': \"a,b\" is not a list of whole numbers such as 128,30,8",
    ),
    (
        "finetune --data polarity --max-length 10000",
        "--max-length is 10000, but albert-nano has 512 positions; give 512 or less, or --long windows",
    ),
    (
        "finetune --data one.csv",
        'one.csv, split train: all 12 rows have "good", but a classifier needs at least two labels; check '
        "the label column, or use more rows",
    ),
    (
        "finetune --data gaps.csv",
        "gaps.csv, line 7: the label in column \"label\" is missing (''); repair the file or pass --skip-bad-rows",
    ),
    (
        "finetune --data short.csv",
        "short.csv, line 3: 3 columns instead of 2; repair the file or pass --skip-bad-rows",
    ),
    (
        "finetune --data latin.csv",
        "latin.csv, line 2: byte 0xe9 is not UTF-8; save the file as UTF-8, or pass --encoding, such as cp1252",
    ),
    (
        "finetune --data empty.csv",
        "empty.csv: the file is empty; it needs rows",
    ),
    (
        "finetune --data head.csv",
        "head.csv: no usable row; the file needs rows",
    ),
    (
        "finetune --data named.csv --class-weights goood=2",
        '--class-weights names the label "goood", but the labels are: bad, good; did you mean "good"?',
    ),
    (
        "finetune --data imdb",
        "imdb does not come with albertkit: give --data-dir with the folder aclImdb "
        "(aclImdb/train/pos/*.txt, ...) or an archive of it, or fetch it with albertkit download imdb",
    ),
    (
        "finetune --data imdb --data-dir nowhere",
        "nowhere does not exist; give the folder aclImdb or an archive of it (.zip, .tar, .tar.gz, .tgz, "
        ".tar.bz2, .tbz2, .tar.xz, .txz)",
    ),
    (
        "finetune --data polarity extra.csv",
        'unexpected argument "extra.csv"; give further training texts with --unlabelled',
    ),
    (
        'predict runs/none "a text"',
        'No model "runs/none": not a path, and not listed by `albertkit models`',
    ),
    (
        'predict albert-nano "a text"',
        "albert-nano has no task head; fine-tune it first: albertkit finetune --model albert-nano --data DATA",
    ),
    (
        "predict albert-nano",
        "give either texts or --input FILE",
    ),
    (
        "predict albert-nano --input none.txt",
        "none.txt: there is no such file",
    ),
    (
        "evaluate albert-nano --data polarity",
        "albert-nano has no task head; fine-tune it first: albertkit finetune --model albert-nano --data DATA",
    ),
    (
        "evaluate albert-nano --data polarity --split tset",
        'polarity has no split "tset"; available splits: train, dev, test; did you mean "test"?',
    ),
    (
        "embed albert-nano --input texts.txt --output vectors.txt",
        '--output "vectors.txt" must end in .npy or .parquet',
    ),
    (
        "embed albert-nano --input texts.txt",
        "--output is missing, as in: albertkit embed albert-nano --input texts.txt --output vectors.npy",
    ),
    (
        "embed albert-nano",
        "give either texts or --input FILE",
    ),
    (
        "predict albert-nano --input texts.txt --output texts.txt",
        '--output "texts.txt" is the --input itself; give another file',
    ),
    (
        'nearest vectors.npy "a text"',
        "vectors.npy: an .npy file holds no texts to find; embed again with --output FILE.parquet",
    ),
    (
        'fill albert-nano "no mask here"',
        'the text holds no [MASK]: write one where the model should fill in a piece, e.g. "a [MASK] of tea"',
    ),
    (
        "convert albert-nano out --to pytorch",
        'unknown checkpoint format "pytorch" (known: bson, hub1, huggingface, keras, tf1, tfhub2)',
    ),
    (
        "export albert-nano --to onix --out out",
        'unknown export format "onix"; did you mean "onnx"? (known: onnx, openvino, web)',
    ),
    (
        "download albert-bas-v2",
        'no known model or data set "albert-bas-v2"; did you mean "albert-base-v2"?',
    ),
    (
        "models --version v3",
        'Invalid value for --version: there is no version "v3"; known: v1, v2, zh, nano',
    ),
    (
        "plot folder --out a.png",
        "folder/report.json: not found, so this is not the directory of a finished run; repeat its command "
        "with --resume",
    ),
    (
        "tokenize --mode googel",
        "Invalid value for '--mode': 'googel' is not one of 'google', 'tfhub', 'huggingface', 'keras', "
        "'julia'; did you mean \"google\"?",
    ),
    (
        "pretrain --data folder --model albert-nano --out runs/p",
        "folder: holds no manifest.json, so it is not a prepared corpus; make one with albertkit prepare "
        "FILES --model M --out FOLDER",
    ),
    (
        "benchmark finetun",
        'there is no benchmark "finetun"; did you mean "finetune"? (known: curves, endurance, finetune, '
        "inference, load, prepare, pretrain, probe, serving, start, tokenize)",
    ),
]
"""Command line -> its message; `{cache}` is albertkit's cache."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables with one mistake each."""
    folder = tmp_path_factory.mktemp("mistakes")
    rows = [(f"text {number}", ("bad", "good")[number % 2]) for number in range(40)]
    named = "text,label\n" + "".join(f"{text},{label}\n" for text, label in rows)
    contents = {
        "named.csv": named,
        "reviews.csv": named.replace("text,label", "review,stars"),
        "one.csv": "text,label\n" + "".join(f"text {number},good\n" for number in range(12)),
        "gaps.csv": named.replace("text 5,good", "text 5,"),
        "short.csv": "text,label\na good film,good\na bad,film,bad\n",
        "empty.csv": "",
        "head.csv": "text,label\n",
        "texts.txt": "one\ntwo\n",
    }
    for name, content in contents.items():
        (folder / name).write_text(content)
    (folder / "latin.csv").write_bytes("text,label\ncaf\xe9,good\nbad,bad\n".encode("latin-1"))
    (folder / "folder").mkdir()
    (folder / "full").mkdir()
    (folder / "full" / "notes.txt").touch()
    return folder


@pytest.mark.parametrize(("command", "message"), MISTAKES, ids=[command for command, _ in MISTAKES])
def test_a_mistake_gets_one_sentence(
    command: str, message: str, folder: Path, albertkit: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ALBERTKIT_OFFLINE", "1")
    monkeypatch.setenv("ALBERTKIT_CACHE", str(folder / "cache"))
    outcome = albertkit(*shlex.split(command))
    assert (outcome.status in (1, 2), outcome.out) == (True, "")
    label, _, found = outcome.err.strip().splitlines()[-1].partition(": ")
    assert (label.lower(), found) == ("error", message.replace("{cache}", str(folder / "cache")))


def test_there_are_fifty() -> None:
    assert len(MISTAKES) >= 50
