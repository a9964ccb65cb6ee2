"""LoRA fine-tuning of a tiny model that the test makes: it learns answers by heart and resumes exactly."""

import hashlib
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from training import goes_on_to_the_same_numbers, nothing_stays

from tunewright_tools import finetune
from tunewright_tools.base import Job, Limits
from tunewright_tools.catalog import trainer
from tunewright_tools.command import CommandTool
from tunewright_tools.finetune_data import encode, read
from tunewright_tools.torch_errors import TrainingError

# peft 0.21 reads an attribute that transformers 5.23 is to remove
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

INSTALLED = all(importlib.util.find_spec(name) for name in ("peft", "transformers"))
ANSWERS = {"red": "apple", "yellow": "lemon pie", "green": "pea", "blue": "plum", "white": "rice and salt"}
FINETUNE = trainer("finetune")


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    with nothing_stays():
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two narrow layers with random weights, and a tokenizer of whole words."""
    if not INSTALLED:
        pytest.skip("needs the extra finetune; make test-finetune has it")
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("model")
    words = ["<unk>", "</s>", "<pad>", "what", "is", *ANSWERS, *" ".join(ANSWERS.values()).split()]
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys(words))}
    words_model = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words_model.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words_model, unk_token="<unk>", eos_token="</s>", pad_token="<pad>"
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=2,
    )
    made = LlamaForCausalLM(config)
    torch.nn.init.normal_(made.lm_head.weight, std=0.3)
    made.save_pretrained(folder)
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.jsonl"
    lines = [{"instruction": "what is", "input": asked, "output": answer} for asked, answer in ANSWERS.items()]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def options(model: Path, data: Path, **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"model": str(model), "data": str(data), "validation_data": str(data), "device": "cpu"}
    given |= {"epochs": 60, "batch_size": 5, "learning_rate": 0.02, "evaluations": 2, "lora_rank": 8}
    return given | changes


def argv(given: dict[str, Any]) -> list[str]:
    return [part.format() for part in FINETUNE.argv([], given)[3:]]


def run(capsys: pytest.CaptureFixture[str], words: list[str]) -> str:
    capsys.readouterr()
    assert finetune.main(words) == 0
    return capsys.readouterr().out


def last(said: str, name: str) -> float:
    return float(said.split(f"\n{name}: ")[1].split()[0])


def content(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_it_learns_answers_by_heart_and_leaves_the_model_as_it_was(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(model)
    said = run(capsys, argv(options(model, data, adapter=str(tmp_path / "adapter"))))
    assert last(said, "val_exact_match") == 1.0
    assert last(said, "val_loss") < 0.1
    assert content(model) == before
    # The adapter that was written gives the same answers on the untouched model.
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    tokenizer = finetune.load_tokenizer(str(model))
    given = finetune.arguments(argv(options(model, data)))
    task = finetune.Answers(given, tokenizer, read(given, tokenizer), torch.device("cpu"))
    with torch.no_grad():
        untrained = task.evaluate(task.model.eval())
    assert untrained["val_exact_match"] < 1
    assert untrained["val_loss"] > 1
    base = AutoModelForCausalLM.from_pretrained(model)
    trained = PeftModel.from_pretrained(base, tmp_path / "adapter").eval()
    with torch.no_grad():
        assert task.evaluate(trained)["val_loss"] == pytest.approx(last(said, "val_loss"), abs=1e-4)


def test_the_contract_reads_its_curve(model: Path, data: Path, tmp_path: Path) -> None:
    tool = CommandTool(FINETUNE.argv([], options(model, data, epochs=3, evaluations=3)), FINETUNE.metrics)
    (tmp_path / "run").mkdir()
    outcome = tool.run(Job(0, 0, {}, 3, tmp_path / "run", limits=Limits(100)), lambda _: False)
    assert outcome.status == "done", outcome.detail
    assert len(outcome.curve) == 3
    assert set(outcome.metrics) == {"val_loss", "val_exact_match"}


def test_a_killed_run_goes_on_to_the_same_numbers(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = options(model, data, epochs=40, batch_size=2, device_batch=1, lora_dropout=0.2, evaluations=80, generated=1)
    checkpoint = tmp_path / "checkpoint.pt"
    goes_on_to_the_same_numbers("tunewright_tools.finetune", lambda words: run(capsys, words), argv(given), checkpoint)
    assert all("lora_" in name for name in torch.load(checkpoint, weights_only=True)["model"])


def test_only_the_answer_is_learned(model: Path, data: Path) -> None:
    tokenizer = finetune.load_tokenizer(str(model))
    given = finetune.arguments(argv(options(model, data)))
    task = finetune.Answers(given, tokenizer, read(given, tokenizer), torch.device("cpu"))
    ids, mask, labels = task.tensors(task.data.train[:2])
    # "what is red" + "apple </s>", and "what is yellow" + "lemon pie </s>", which is one token longer.
    assert mask.sum(1).tolist() == [5, 6]
    assert (labels != -100).sum(1).tolist() == [2, 3]
    assert tokenizer.decode(ids[0][labels[0] != -100]) == "apple </s>"
    whole = task.tensors(task.data.train[:2])
    with torch.no_grad():
        alone = [float(task.loss(task.model, task.tensors([example]), whole)) for example in task.data.train[:2]]
        assert sum(alone) == pytest.approx(float(task.loss(task.model, whole, whole)), rel=1e-4)


def test_a_chat_template_is_used_where_there_is_one(model: Path) -> None:
    tokenizer = finetune.load_tokenizer(str(model))
    plain = encode(tokenizer, "what is red", "apple")
    tokenizer.chat_template = "{% for m in messages %}green {{ m['content'] }} {% endfor %}blue"
    chat = encode(tokenizer, "what is red", "apple")
    assert tokenizer.decode(plain.prompt_ids) == "what is red"
    assert tokenizer.decode(chat.prompt_ids) == "green what is red blue"
    assert plain.answer_ids == chat.answer_ids


def test_long_examples_are_left_out_and_counted(model: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, argv(options(model, data, epochs=1, batch_size=2, max_tokens=6, evaluations=1)))
    assert "examples: 4 to train on, 4 to measure on\nleft_out: 2\n" in said


class Letters:
    """A tokenizer of single letters."""

    chat_template = None
    eos_token_id = 0

    def __call__(self, text: str, **options: Any) -> dict[str, list[int]]:
        return {"input_ids": [ord(letter) for letter in text]}


def test_a_text_may_hold_every_character_that_json_allows(data: Path) -> None:
    answers = ["one\u2028two", "one\x85two", "one\ntwo"]
    lines = [json.dumps({"prompt": "say", "completion": answer}, ensure_ascii=False) for answer in answers]
    data.write_text("\r\n".join(lines) + "\r\n", encoding="utf-8", newline="")
    given = finetune.arguments(argv(options(Path("model"), data)))
    assert [example.answer for example in read(given, Letters()).train] == answers


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 1 of .*data.jsonl is no JSON"),
        ('{"instruction": "a"}', "line 1 of .*data.jsonl has \\['instruction'\\]; each line is an object"),
        ('{"prompt": "a", "completion": " "}', "an answer that is not empty"),
        ('["a"]', "has \\['a'\\]; each line is an object"),
        ('{"prompt": "a", "completion": "b"}', "of 1 examples .* leaves 0 to train on and 1 to measure on"),
    ],
)
def test_instructions_that_cannot_be_used(line: str, said: str, model: Path, data: Path) -> None:
    data.write_text(line + "\n")
    given = finetune.arguments(argv(options(model, data, validation_data="")))
    with pytest.raises(TrainingError, match=said):
        read(given, finetune.load_tokenizer(str(model)))


@pytest.mark.skipif(not INSTALLED, reason="needs the extra finetune; make test-finetune has it")
def test_a_model_that_is_not_there(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        finetune.main(argv(options(tmp_path / "none", data)))
    assert "is no folder with a model and its tokenizer" in capsys.readouterr().err


def test_layers_that_are_not_there(model: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        finetune.main(argv(options(model, data, lora_targets="q_proj2")))
    assert "cannot be given adapters" in capsys.readouterr().err


@pytest.mark.skipif(INSTALLED, reason="transformers and peft are installed")
def test_without_the_extra_it_says_what_to_install(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        finetune.main(argv(options(data.parent, data)))
    assert "is missing; pip install 'tunewright[finetune]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lora_rank": 0}, "--lora-rank must be at least 1 and finite, not 0"),
        ({"lora_alpha": 0.0}, "--lora-alpha must be a finite number above 0, not 0.0"),
        ({"generated": -1}, "--generated must be at least 0 and finite, not -1"),
    ],
)
def test_wrong_arguments_end_it_with_a_message(
    changes: dict[str, Any], said: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        finetune.arguments(argv(options(data, data, **changes)))
    assert said in capsys.readouterr().err


@pytest.mark.gpu
def test_on_a_gpu(model: Path, data: Path, tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU")
    tool = CommandTool(FINETUNE.argv([], options(model, data, device="cuda")), FINETUNE.metrics)
    (tmp_path / "run").mkdir()
    outcome = tool.run(Job(0, 0, {}, 3, tmp_path / "run", limits=Limits(110)), lambda _: False)
    assert outcome.status == "done", outcome.detail
    assert outcome.metrics["val_exact_match"] > 0.5
