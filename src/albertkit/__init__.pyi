"""The public names: type checkers read them here, and `__init__.py` imports each from here when it is first used."""

from albertkit.batching.batch import Batch as Batch
from albertkit.checkpoints import read_checkpoint as read_checkpoint
from albertkit.checkpoints.checkpoint import ReadOptions as ReadOptions
from albertkit.config import AlbertConfig as AlbertConfig
from albertkit.data.corpus.prepare import prepare as prepare
from albertkit.data.examples import ChoiceExample as ChoiceExample
from albertkit.data.examples import TextExample as TextExample
from albertkit.datasets import holdout as holdout
from albertkit.datasets import load_dataset as load_dataset
from albertkit.errors import AlbertkitError as AlbertkitError
from albertkit.estimators.classifier import AlbertClassifier as AlbertClassifier
from albertkit.estimators.embedder import AlbertEmbedder as AlbertEmbedder
from albertkit.estimators.regressor import AlbertRegressor as AlbertRegressor
from albertkit.evaluation.evaluate import evaluate as evaluate
from albertkit.evaluation.report import Report as Report
from albertkit.evaluation.score import score_file as score_file
from albertkit.explaining import explain as explain
from albertkit.hardware.device import choose_execution as choose_execution
from albertkit.inference.loading import load as load
from albertkit.inference.predictor import Predictor as Predictor
from albertkit.inference.pretraining_predictor import fill_masks as fill_masks
from albertkit.inference.pretraining_predictor import sentence_order as sentence_order
from albertkit.models.conversion import convert as convert
from albertkit.models.pretrained import load_encoder as load_encoder
from albertkit.models.tokenizers import load_tokenizer as load_tokenizer
from albertkit.tasks.exit_rules import ExitRule as ExitRule
from albertkit.training.distillation.distill import distill as distill
from albertkit.training.distillation.settings import DistillSettings as DistillSettings
from albertkit.training.finetune import finetune as finetune
from albertkit.training.pretraining.inputs import pretraining_batches as pretraining_batches
from albertkit.training.pretraining.pretrain import pretrain as pretrain
from albertkit.training.pretraining.settings import PretrainSettings as PretrainSettings
from albertkit.training.settings import FinetuneSettings as FinetuneSettings

__version__: str
