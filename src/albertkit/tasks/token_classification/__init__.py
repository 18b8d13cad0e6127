"""A tag for each word of a text, and the entities that the tags make. Without torch; the head is in `head.py`.

    text      Lin's guitar                 words     Lin  '  s  guitar
    tokens    [CLS] _lin ' s _guitar [SEP]
    rows      1 2 3 4                      the first token of each word speaks for the word

A text that is too long is read in windows that overlap by a quarter of max_length. A word is learned and tagged in the
one window where it has the most text on its poorer side, as google-research/bert's run_squad.py chooses the window of
an answer ("max context").
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from albertkit.batching.batch import IntArray
from albertkit.batching.batch import Sequence as TokenSequence
from albertkit.data.entities import OUTSIDE, find_entities, split_tag, tag_scheme
from albertkit.data.examples import TokenExample
from albertkit.data.word_joins import WordJoins, learn_joins
from albertkit.data.words import join_words, split_words
from albertkit.datasets.dataset import Dataset
from albertkit.errors import DataError, UsageError
from albertkit.scoring.baseline import Baseline
from albertkit.scoring.mistakes import Mistake
from albertkit.scoring.score import Score, ScoreOptions
from albertkit.tasks.baselines import predicted_baseline
from albertkit.tasks.encoded import Encoded
from albertkit.tasks.saved import saved_as
from albertkit.tasks.task import Predictions, Task
from albertkit.tasks.token_classification.files import fits_columns, read_tagged, tag_files, words_of
from albertkit.tasks.token_classification.metrics import tag_scores
from albertkit.tasks.token_classification.mistakes import tag_mistakes
from albertkit.tasks.token_classification.windows import best_windows, window_spans, word_rows
from albertkit.text.any_tokenizer import AnyTokenizer
from albertkit.text.sequences import build_sequence, token_budget

FloatArray = npt.NDArray[np.float32]

IGNORED = -100
"""Target of a token that speaks for no word: torch's and transformers' number for "no loss here"."""


@dataclass(frozen=True)
class WindowWords:
    """The words that one window decides."""

    words: IntArray
    """Their numbers in the example, `[words]`, rising."""
    rows: IntArray
    """Row of each one's token in the window, [CLS] being row 0, `[words]`."""


@dataclass(frozen=True)
class TokenClassificationTask(Task):
    """Tags of words: named entities, parts of speech."""

    word_joins: WordJoins | None = field(default=None, metadata=saved_as(WordJoins.to_lists, WordJoins.from_lists))
    """How raw text is split into words, where the training texts were words: they are read with a blank between them,
    so every text is. None where the training texts were raw: `split_words` splits others, too, and the blanks stay."""

    name = "token_classification"
    head = "tags"
    objective = "albertkit.tasks.token_classification.head:TAGS"
    problem_type = None
    onnx_head = "albertkit.graphs.heads:linear"
    route = "albertkit.tasks.token_classification.route:TAG"
    nano_learning_rate = 1e-3  # twice that of other tasks: steps hold few tokens, 10 to 30 a sentence; not tuned
    score_options = ("scheme",)

    def example_of(self, text: str, pair: str | None = None) -> TokenExample:
        """Split a raw text into words as the training data were split, none of them tagged.

        Raises:
            UsageError: there is a second text.

        >>> TOKEN_CLASSIFICATION.example_of("Hi, Ada").words
        ((0, 2), (2, 3), (4, 7))
        """
        if pair is not None:
            raise UsageError("tagging takes one text; leave out the second one, or pass it as a separate text")
        return TokenExample(text, split_words(text) if self.word_joins is None else self.word_joins.split(text))

    def learned_from(self, examples: Sequence[TokenExample]) -> TokenClassificationTask:
        """Return the task that splits raw text into words as these examples are split."""
        if any(example.text != " ".join(words_of(example)) for example in examples):
            return replace(self, word_joins=None)
        return replace(self, word_joins=learn_joins(map(words_of, examples)))

    def relabelled(self, example: TokenExample, moved: Mapping[int, int]) -> TokenExample:
        """Return an example with its tags replaced."""
        return replace(example, tags=None if example.tags is None else tuple(moved[tag] for tag in example.tags))

    def encode(self, tokenizer: AnyTokenizer, examples: Sequence[TokenExample], *, max_length: int) -> Encoded:
        """Tokenise texts; a unit is a window, its detail says which words it decides.

        Args:
            tokenizer: tokenizer of the model.
            examples: texts with words.
            max_length: tokens of a window at most, [CLS] and [SEP] among them.

        Raises:
            UsageError: max_length leaves no room for a token of the text.
            TextError: a text with a lone surrogate.
        """
        budget = token_budget(max_length, num_specials=2)
        if not budget:
            raise UsageError(f"max_length {max_length} has no room for a token of the text; give at least 3")
        cls_id, sep_id = tokenizer.cls_id, tokenizer.sep_id
        sequences: list[TokenSequence] = []
        details: list[WindowWords] = []
        example_ids: list[int] = []
        for number, example in enumerate(examples):
            text, spans = example.text, example.words
            if self.word_joins is not None:
                text, spans = join_words(words_of(example))
            tokens = tokenizer.encode(text, specials=False)
            ids = np.array(tokens.input_ids, np.int64)
            words, rows = word_rows(spans, tokens.offsets)
            windows = window_spans(len(ids), size=budget, overlap=max_length // 4)
            chosen = best_windows(rows, windows)
            for window, (start, end) in enumerate(windows):
                own = chosen == window
                sequences.append(build_sequence(ids[start:end], None, max_length=None, cls_id=cls_id, sep_id=sep_id))
                details.append(WindowWords(words[own], rows[own] - start + 1))
                example_ids.append(number)
        return Encoded(sequences, np.ones(len(sequences), np.int64), np.array(example_ids, np.int64), details)

    def unit_targets(
        self, encoded: Encoded, examples: Sequence[TokenExample], *, num_labels: int
    ) -> list[npt.NDArray[Any]]:
        """Return for each window the label of each token, `[tokens]` int64, `IGNORED` where it speaks for no word.

        Where two words share a token, the first one's label is learned.

        Raises:
            DataError: an example without tags, with more or fewer than words, or with a tag beyond the labels.
        """
        for row, example in enumerate(examples):
            _check_tags(example, row, num_labels)
        targets: list[npt.NDArray[Any]] = []
        for sequence, number, detail in zip(
            encoded.sequences, encoded.example_ids.tolist(), encoded.details, strict=True
        ):
            tags = np.array(examples[number].tags, np.int64)
            target = np.full(len(sequence), IGNORED, np.int64)
            target[detail.rows[::-1]] = tags[detail.words[::-1]]  # backwards: the first word of a row is written last
            targets.append(target)
        return targets

    def predictions(
        self,
        outputs: Sequence[FloatArray],
        encoded: Encoded,
        examples: Sequence[TokenExample],
        *,
        labels: Sequence[str],
    ) -> list[Mapping[str, Any]]:
        """Return `{tags, words, entities}` for each example.

        `tags` is the likeliest tag of each word, `words` their spans `[start, end)`, `entities` a list of
        `{type, text, start, end, probability}` as seqeval's default reads the tags. All places are characters of the
        text as given, so `text[start:end]` is the entity's text. An entity's probability is the product of its words'
        probabilities of their tags: the network's own, since it decides each word by itself. Labels that mark no
        entities (parts of speech, see `albertkit.data.entities`) make none.

        Args:
            outputs: logits of each window, `[tokens, labels]`.
            encoded: what `encode` gave.
            examples: the examples.
            labels: names of the tags.
        """
        outside = labels.index(OUTSIDE) if OUTSIDE in labels else 0
        scheme = tag_scheme(labels)
        # A word without a token (only control characters) gets the tag O; its probability 1 has no meaning.
        tags = [np.full(len(example.words), outside, np.int64) for example in examples]
        shares = [np.ones(len(example.words)) for example in examples]
        for logits, number, detail in zip(outputs, encoded.example_ids.tolist(), encoded.details, strict=True):
            if not len(detail.words):
                continue
            best, share = _likeliest(logits[detail.rows])
            if scheme != "plain":  # one token cannot begin two
                for index in np.flatnonzero(detail.rows[1:] == detail.rows[:-1]) + 1:
                    best[index] = _going_on(int(best[index - 1]), labels)
            tags[number][detail.words] = best
            shares[number][detail.words] = share
        return [
            _prediction(example, [labels[tag] for tag in own.tolist()], share, scheme=scheme)
            for example, own, share in zip(examples, tags, shares, strict=True)
        ]

    def render(self, prediction: Mapping[str, Any]) -> str:
        """Return the entities, or where there are none each word with its tag."""
        if prediction["entities"]:
            return ", ".join(f"{each['text']} ({each['type']})" for each in prediction["entities"])
        words = [prediction["text"][start:end] for start, end in prediction["words"]]
        return " ".join(f"{word}/{tag}" for word, tag in zip(words, prediction["tags"], strict=True)) or "(no word)"

    def score(
        self, predictions: Predictions, examples: Sequence[TokenExample], *, labels: Sequence[str], data: str = ""
    ) -> Score:
        """Return `tag_scores`; its `untrained` says where nearly every word got the same tag."""
        del data
        true = [[labels[tag] for tag in example.tags or ()] for example in examples]
        predicted = [list(row["tags"]) for row in predictions]
        return replace(tag_scores(true, tags_predicted=predicted, labels=labels), untrained=one_tag(true, predicted))

    def mistakes(
        self, predictions: Predictions, examples: Sequence[TokenExample], *, labels: Sequence[str]
    ) -> tuple[Mistake, ...]:
        """Return the texts with the most wrong tags."""
        return tag_mistakes(examples, [list(row["tags"]) for row in predictions], labels=labels)

    def baselines(
        self, train: Dataset, scored: Dataset, *, tfidf: bool = True, say: Callable[[str], None] = lambda _: None
    ) -> list[Baseline]:
        """Score the commonest tag of each word in training."""
        del tfidf, say
        return [
            predicted_baseline(
                self,
                "commonest_tag_of_each_word",
                lambda: commonest_tags(train, scored.of(TokenExample)),
                scored=scored,
                words="giving each word its most frequent tag",
            )
        ]

    def score_file(self, dataset: Dataset, path: Path, options: ScoreOptions) -> Score:
        """Score a file of tags as seqeval and conlleval do; the data set's own metrics come first."""
        true = [[dataset.labels[tag] for tag in example.tags or ()] for example in dataset.of(TokenExample)]
        found = tag_scores(
            true, tags_predicted=read_tagged(dataset, path, options), scheme=options.scheme, labels=dataset.labels
        )
        names = dict.fromkeys([*(name for name in dataset.metrics if name in found.metrics), *found.metrics])
        return replace(found, metrics={name: found.metrics[name] for name in names})

    def prediction_ending(self, dataset: Dataset) -> str:
        """Return .conll where all words can be in columns."""
        return ".conll" if fits_columns(dataset) else ".jsonl"

    def prediction_files(self, dataset: Dataset, predictions: Predictions) -> dict[str, Any]:
        """Return word, true tag and predicted tag in columns."""
        return tag_files(dataset, predictions)


def one_tag(tags_true: Sequence[Sequence[str]], tags_predicted: Sequence[Sequence[str]]) -> str | None:
    """Return a sentence when nearly every word got the same tag although the words have others, else None.

    Args:
        tags_true: a tag for each word of each text.
        tags_predicted: the same for the predictions.
    """
    given = Counter(tag for tags in tags_predicted for tag in tags)
    if not given:
        return None
    tag, count = given.most_common(1)[0]
    words = given.total()
    others = sum(true != tag for tags in tags_true for true in tags)
    # Fewer than one in twenty of the words that should have another tag got one.
    if 20 * (words - count) >= others:
        return None
    figures = f'{count:,} of {words:,} words were tagged "{tag}", but {others:,} have another tag'
    what = "predicting no entity" if tag == OUTSIDE else "giving every word the same tag"
    than = "no better than" if count == words else "hardly better than"
    return f"The score is {than} {what}: {figures}."


def commonest_tags(train: Dataset, examples: Sequence[TokenExample]) -> list[Mapping[str, Any]]:
    """Return predictions by words only: each word's commonest tag in training, else the commonest of all.

    Args:
        train: the split that counts.
        examples: what to tag.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    overall: Counter[str] = Counter()
    for example in train.of(TokenExample):
        for word, tag in zip(words_of(example), example.tags or (), strict=True):
            counts[word][train.labels[tag]] += 1
            overall[train.labels[tag]] += 1
    commonest = {word: tags.most_common(1)[0][0] for word, tags in counts.items()}
    default = overall.most_common(1)[0][0]
    return [{"tags": [commonest.get(word, default) for word in words_of(example)]} for example in examples]


def _check_tags(example: TokenExample, row: int, num_labels: int) -> None:
    name = f"example {example.id or row}"
    if example.tags is None:
        raise DataError(f"{name} has no tags; this split cannot be trained on or scored")
    if len(example.tags) != len(example.words):
        raise DataError(f"{name} has {len(example.tags)} tags for {len(example.words)} words; give each word one tag")
    for tag in example.tags:
        if not 0 <= tag < num_labels:
            raise DataError(f"{name} has the tag {tag}, but there are {num_labels} labels, counted from 0; correct it")


def _likeliest(logits: FloatArray) -> tuple[IntArray, npt.NDArray[np.float64]]:
    """Return the best label of each row of logits, and its probability."""
    raised = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    best: IntArray = logits.argmax(axis=1)
    return best, 1 / raised.sum(axis=1)


def _going_on(tag: int, labels: Sequence[str]) -> int:
    # B-PER of the first word is I-PER of the next, where that is a label.
    following = f"I{labels[tag][1:]}"
    return labels.index(following) if split_tag(labels[tag])[0] == "B" and following in labels else tag


def _prediction(
    example: TokenExample, tags: list[str], shares: npt.NDArray[np.float64], *, scheme: str
) -> Mapping[str, Any]:
    entities = []
    found = [] if scheme == "plain" else find_entities(tags, scheme="IO" if scheme == "IO" else None)
    for entity in found:
        start, end = example.words[entity.first][0], example.words[entity.last][1]
        entities.append(
            {
                "type": entity.type,
                "text": example.text[start:end],
                "start": start,
                "end": end,
                "probability": float(shares[entity.first : entity.last + 1].prod()),
            }
        )
    return {"tags": tags, "words": [list(word) for word in example.words], "entities": entities}


TOKEN_CLASSIFICATION = TokenClassificationTask()
