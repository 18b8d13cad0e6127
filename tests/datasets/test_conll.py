"""Files of columns: the CoNLL layouts, flaws, and the published counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from albertkit.data.examples import TokenExample
from albertkit.datasets import load_dataset, open_data
from albertkit.datasets.conll import NER_LABELS, read_columns
from albertkit.errors import DataError, UsageError

CONLL = """-DOCSTART- -X- -X- O

New NNP B-NP B-LOC
York NNP I-NP I-LOC
wins VBZ B-VP O

-DOCSTART- -X- -X- O

Ada NNP B-NP B-PER
"""


def test_the_published_layout(tmp_path: Path) -> None:
    (tmp_path / "conllpp_train.txt").write_text(CONLL)
    (tmp_path / "conllpp_dev.txt").write_text(CONLL.replace("\n", "\r\n"))
    source = open_data("ner", data_dir=tmp_path)
    assert (source.task, source.metrics) == ("token_classification", ("f1", "precision", "recall", "accuracy"))
    assert source.labels == NER_LABELS == source.split("train").labels
    data = source.split("train")
    assert list(data) == [
        TokenExample("New York wins", ((0, 3), (4, 8), (9, 13)), (1, 2, 0)),
        TokenExample("Ada", ((0, 3),), (7,)),
    ]
    assert list(source.split("dev")) == list(data)
    assert (data.skipped, data.warnings) == ((), ())
    with pytest.raises(UsageError, match=r'no split "test" \(not under .*: test: conllpp_test.txt\)'):
        source.split("test")


def test_from_an_archive_and_under_the_older_names(
    tmp_path: Path, write_archive: Callable[[Path, dict[str, bytes]], Path]
) -> None:
    archive = write_archive(tmp_path / "a.tgz", {"ner/eng.testb": CONLL.encode(), "ner/valid.txt": CONLL.encode()})
    source = open_data("ner", data_dir=archive)
    assert source.splits == ("dev", "test")
    assert len(source.split("test")) == len(source.split("validation")) == 2
    with pytest.raises(UsageError, match="ner does not come with albertkit"):
        open_data("ner")
    with pytest.raises(DataError, match=r"ner: none of conllpp_train\.txt"):
        open_data("ner", data_dir=Path(__file__).parent)


@pytest.mark.parametrize("name", ["own.conll", "own.bio", "own.iob2"])
def test_a_file_by_its_ending(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("New\tB-LOC\nYork\tI-LOC\n\n\nAda\tB-PER\n")
    data = load_dataset(tmp_path / name)
    assert data.labels == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")  # the whole scheme, though no word has O or I-PER
    assert [row.text for row in data] == ["New York", "Ada"]


def test_a_text_file_where_the_task_says_so(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a O\nb B-X\n")
    (tmp_path / "dev.txt").write_text("a B-X\n")
    source = open_data(tmp_path, task="token_classification")
    assert source.splits == ("train", "dev")
    assert source.split("dev")[0].tags == (1,)
    with pytest.raises(UsageError, match="unknown data set"):
        open_data(tmp_path / "train.txt")
    with pytest.raises(DataError, match=r"no file named train, dev, validation or test for multiple_choice in it"):
        open_data(tmp_path, task="multiple_choice")


def test_iob1_is_converted_and_told(tmp_path: Path) -> None:
    (tmp_path / "own.conll").write_text("Ada I-PER\nEve B-PER\nB I-PER\nis O\n\nRome I-LOC\n")
    data = load_dataset(tmp_path / "own.conll")
    assert data.labels == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert [row.tags for row in data] == [(3, 3, 4, 0), (1,)]
    (note,) = data.warnings
    assert note.endswith("2 tag(s) I- that begin a chunk, as IOB1 has them, changed to B- (line 1, line 6)")


@pytest.mark.parametrize("tags", [["O", "S-X", "B-X", "I-X", "E-X"], ["O", "U-X", "B-X", "I-X", "L-X"], ["NN", "VB"]])
def test_other_schemes_are_kept(tmp_path: Path, tags: list[str]) -> None:
    (tmp_path / "own.conll").write_text("".join(f"w {tag}\n" for tag in tags))
    data = load_dataset(tmp_path / "own.conll")
    assert [data.labels[tag] for tag in data[0].tags] == tags
    assert data.warnings == ()


def test_labels_of_a_trained_model(tmp_path: Path) -> None:
    (tmp_path / "own.conll").write_text("Ada B-PER\n\nRome B-LOC\n")
    labels = ("O", "B-PER", "I-PER")
    with pytest.raises(DataError, match='line 3: label "B-LOC" is not one of the labels'):
        load_dataset(tmp_path / "own.conll", labels=labels)
    data = load_dataset(tmp_path / "own.conll", labels=labels, skip_bad_rows=True)
    assert ([row.tags for row in data], len(data.skipped)) == ([(1,)], 1)


def test_words_without_tags(tmp_path: Path) -> None:
    (tmp_path / "own.conll").write_text("Ada\nruns\n")
    data = load_dataset(tmp_path / "own.conll", labelled=False)
    assert list(data) == [TokenExample("Ada runs", ((0, 3), (4, 8)))]
    with pytest.raises(DataError, match="the lines have one column, so there are no tags"):
        load_dataset(tmp_path / "own.conll")


def test_blanks_inside_words_and_comments() -> None:
    content = "# id 7\nNew York\tB-LOC\n#\tO\n\n# id 8\n10\u00a0000 O\n".encode()
    file = read_columns(content, where="own.conll")
    assert [(row.text, row.tags) for row in file.rows] == [("New York #", ("B-LOC", "O")), ("10\u00a0000", ("O",))]
    assert [row.words for row in file.rows] == [((0, 8), (9, 10)), ((0, 6),)]
    assert file.warnings.close() == ("own.conll: 2 line(s) that begin with # taken as comments (line 1, line 5)",)


@pytest.mark.parametrize(
    "sentence, message",
    [
        ("Ada NNP\nis VBZ O\n", "line 4: 2 columns instead of 3"),
        ("\tNNP\tO\n", "line 4: the word is empty"),
        ("Ada\tNNP\t\n", "line 4: the tag is empty"),
        ("Ada NNP B-PRE\n", 'line 4: label "B-PRE" is not one of the labels .*; did you mean "B-PER"'),
    ],
)
def test_a_bad_sentence_is_named(tmp_path: Path, sentence: str, message: str) -> None:
    good = "Ada NNP B-PER\nruns VBZ O\n\n"
    (tmp_path / "own.conll").write_text(good + sentence)
    labels = ["O", "B-PER"]
    with pytest.raises(DataError, match=f"own.conll, {message}.*; repair the file or pass --skip-bad-rows"):
        load_dataset(tmp_path / "own.conll", labels=labels)
    data = load_dataset(tmp_path / "own.conll", labels=labels, skip_bad_rows=True)
    assert ([row.text for row in data], len(data.skipped)) == (["Ada runs"], 1)


def test_a_clash_of_labels_names_both(tmp_path: Path) -> None:
    (tmp_path / "train.conll").write_text("Ada B-PER\n")
    (tmp_path / "dev.conll").write_text("Ada b-per\n")
    with pytest.raises(DataError, match=r'dev\.conll: the tags "B-PER" and "b-per" differ only in capital letters'):
        load_dataset(tmp_path, split="dev")
    (tmp_path / "train.conll").write_text("Ada B-PER\nEve b-per\n")
    with pytest.raises(DataError, match=r'train\.conll: the tags "B-PER" and "b-per"'):
        open_data(tmp_path)


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "own.conll").write_text("-DOCSTART- O\n\n")
    with pytest.raises(DataError, match="no words in the file"):
        load_dataset(tmp_path / "own.conll")


@pytest.mark.slow
def test_the_published_files(shared: Path) -> None:
    seqeval = pytest.importorskip("seqeval.metrics.sequence_labeling")
    source = open_data("ner", data_dir=shared / "data" / "topics_ner_more.tar.xz")
    # Sentences and words of CoNLL-2003, table 1, without the lines -DOCSTART-; entities of its table 2 (train, dev).
    expected = {"train": (14_041, 203_621, 23_499), "dev": (3_250, 51_362, 5_942), "test": (3_453, 46_435, None)}
    for split, (sentences, words, entities) in expected.items():
        data = source.split(split)
        assert (len(data), sum(len(row.words) for row in data)) == (sentences, words)
        assert (data.skipped, data.warnings) == ((), ())
        names = [[data.labels[tag] for tag in row.tags] for row in data]
        assert entities in (None, len(seqeval.get_entities(names)))
        assert all(row.text[start:end].strip() for row in data for start, end in row.words)


def tags_of(path: Path, content: str | bytes) -> list[list[tuple[str, str]]]:
    """The words of a file, each with its tag."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    data = load_dataset(path)
    return [
        [(row.text[start:end], data.labels[tag]) for (start, end), tag in zip(row.words, row.tags, strict=True)]
        for row in data
    ]


@pytest.mark.parametrize(
    "content",
    [
        "Bob B-PER\nfell O\n\nAcme B-ORG\n",
        "Bob\tB-PER\t\nfell\tO\t\n\nAcme\tB-ORG\t\n",  # a tab at the end of every line
        "Bob B-PER \nfell O \n \nAcme B-ORG \n",
        "Bob\tB-PER\nfell\tO\n\t\nAcme\tB-ORG\n",
        "Bob B_PER\nfell O\n\nAcme B_ORG\n",
        "Bob PER-B\nfell O\n\nAcme ORG-B\n",
        "Bob B-PER\nfell o\n\nAcme B-ORG\n",
        b"\xef\xbb\xbfBob B-PER\nfell O\n\nAcme B-ORG\n",
        "-DOCSTART- O\r\n\r\nBob B-PER\r\nfell O\r\n\r\nAcme B-ORG\r\n",
        "Bob I-PER\nfell O\n\nAcme I-ORG\n",
    ],
)
def test_the_same_tags_however_a_file_writes_them(tmp_path: Path, content: str | bytes) -> None:
    found = tags_of(tmp_path / "own.conll", content)
    assert found == [[("Bob", "B-PER"), ("fell", "O")], [("Acme", "B-ORG")]]
    assert open_data(tmp_path / "own.conll").metrics[0] == "f1"


def test_another_spelling_is_told(tmp_path: Path) -> None:
    (tmp_path / "own.conll").write_text("Bob PER-B\nfell O\n")
    (note,) = load_dataset(tmp_path / "own.conll").warnings
    assert note.endswith("1 tag(s) in another spelling of the scheme (line 1: PER-B is read as B-PER)")


def test_words_that_look_like_none(tmp_path: Path) -> None:
    assert tags_of(tmp_path / "a.conll", "# B-TAG\nme I-TAG\nNew\u00a0York B-X\n\u200b O\n\u00a0 O\n") == [
        [("#", "B-TAG"), ("me", "I-TAG"), ("New\u00a0York", "B-X"), ("\u200b", "O"), ("\u00a0", "O")]
    ]
    assert tags_of(tmp_path / "b.conll", "x B-prod.art-1\ny I-prod.art-1\n") == [
        [("x", "B-prod.art-1"), ("y", "I-prod.art-1")]
    ]


def test_tags_without_prefixes_are_scored_as_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "pos.conll").write_text("Bob NOUN\nfell VERB\n")
    source = open_data(tmp_path / "pos.conll")
    assert (source.labels, source.metrics) == (("NOUN", "VERB"), ("accuracy",))
    assert source.split("train").metrics == ("accuracy",)
    (tmp_path / "io.conll").write_text("Bob PER\nfell O\n")
    source = open_data(tmp_path / "io.conll")
    assert (source.labels, source.metrics[0]) == (("O", "PER"), "f1")
    (tmp_path / "mixed.conll").write_text("Bob B-PER\nfell O\nAcme ORG\n")
    with pytest.raises(DataError, match=r"mixed\.conll: the tags \(B-PER, O, ORG\) do not follow one scheme"):
        open_data(tmp_path / "mixed.conll")


def test_an_inside_tag_that_training_lacks(tmp_path: Path) -> None:
    (tmp_path / "train.conll").write_text("Rome B-LOC\nis O\n")
    (tmp_path / "test.conll").write_text("New B-LOC\nYork I-LOC\nis O\n")
    data = load_dataset(tmp_path, split="test")
    assert [data.labels[tag] for tag in data[0].tags] == ["B-LOC", "I-LOC", "O"]


def test_a_model_that_learned_iob1(tmp_path: Path) -> None:
    (tmp_path / "own.conll").write_text("Ada I-PER\nEve B-PER\nis O\n\nRome I-LOC\n")
    data = load_dataset(tmp_path / "own.conll", labels=["O", "B-PER", "I-PER", "I-LOC"])
    assert [[data.labels[tag] for tag in row.tags] for row in data] == [["B-PER", "B-PER", "O"], ["I-LOC"]]
    assert data.warnings[0].endswith("1 tag(s) I- that begin a chunk, as IOB1 has them, changed to B- (line 1)")


CONLLU = """# newpar
# sent_id = 1
# text = Don't fall.
1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_
1\tDo\tdo\tAUX\t_\t_\t3\taux\t_\t_
2\tn't\tnot\tPART\t_\t_\t3\tadvmod\t_\t_
3\tfall\tfall\tVERB\t_\t_\t0\troot\t_\tSpaceAfter=No
3.1\tfall\tfall\tVERB\t_\t_\t_\t_\t_\t_
4\t.\t.\tPUNCT\t_\t_\t3\tpunct\t_\t_

"""


def test_universal_dependencies(tmp_path: Path) -> None:
    words = [("Do", "AUX"), ("n't", "PART"), ("fall", "VERB"), (".", "PUNCT")]
    for name in ("en.conllu", "en.conll"):
        assert tags_of(tmp_path / name, CONLLU + CONLLU) == [words, words]
    assert any(
        "CoNLL-U, so the word is FORM and its tag UPOS" in note for note in load_dataset(tmp_path / name).warnings
    )
    with pytest.raises(DataError, match="line 9: 9 columns instead of 10"):
        tags_of(tmp_path / "bad.conllu", CONLLU.replace("\t_\t_\n\n", "\t_\n\n") + CONLLU)


def test_commas_are_no_columns(tmp_path: Path) -> None:
    (tmp_path / "own.conll").write_text("Bob,B-PER\nfell,O\n")
    with pytest.raises(DataError, match=r"the lines have one column, .*; tabs or blanks part columns, not commas"):
        load_dataset(tmp_path / "own.conll")
