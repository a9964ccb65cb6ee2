"""The language model trainer as a program, its network, its text, its catalog entry and its example card."""

import math
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from training import goes_on_to_the_same_numbers, nothing_stays

from tunewright_tools import torch_lm, torch_lm_options
from tunewright_tools.base import Job, Limits, Outcome
from tunewright_tools.catalog import trainer
from tunewright_tools.command import CommandTool
from tunewright_tools.diagnosis import from_exit
from tunewright_tools.torch_errors import ConflictError, TrainingError
from tunewright_tools.torch_lm_model import Gpt, Shape, optimizers
from tunewright_tools.torch_lm_text import as_bpe, as_bytes, read

LM = trainer("torch_lm")
CARD = Path(__file__).parent.parent / "examples" / "lm" / "tune.yaml"
TINY: dict[str, Any] = {
    "depth": 2,
    "width": 16,
    "heads": 2,
    "context": 16,
    "batch_size": 4,
    "validation_bytes": 500,
    "device": "cpu",
}


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("".join(f"line {n}: the naïve fox jumps {n % 7} times\n" for n in range(400)), encoding="utf-8")
    return path


def command(text: Path, **options: Any) -> list[str]:
    return [part.format() for part in LM.argv([], TINY | {"data": str(text), "tokens": 3000} | options)]


def go(folder: Path, text: Path, **options: Any) -> Outcome:
    folder.mkdir()
    tool = CommandTool(LM.argv([], TINY | {"data": str(text), "tokens": 3000} | options), LM.metrics)
    return tool.run(Job(0, 0, {}, 3, folder, limits=Limits(110)), lambda _: False)


def test_it_learns_and_says_what_it_did(tmp_path: Path, text: Path) -> None:
    outcome = go(tmp_path / "a", text, evaluations=3, learning_rate=0.02, tokens=6000, peak_tflops=0.001)
    assert outcome.status == "done", outcome.detail
    values = [point.metrics["val_bpb"] for point in outcome.curve]
    assert len(values) == 3
    assert outcome.metrics["val_bpb"] == values[-1] < values[0] - 0.1
    assert outcome.telemetry is not None
    assert outcome.telemetry.throughput_unit == "tokens"
    assert outcome.telemetry.throughput is not None
    said = (tmp_path / "a" / "stdout.log").read_text()
    speed = float(said.split("\ntokens_per_second: ")[1].split()[0])
    weights = int(said.split("parameters: ")[1].split()[0]) - 256 * 16
    # 6 operations for each weight but those of the embedding, which is looked up.
    assert float(said.split("mfu: ")[1]) == pytest.approx(speed * 6 * weights / 1e9, rel=0.02)


def here(capsys: pytest.CaptureFixture[str], text: Path, **options: Any) -> str:
    """What a run in this process prints: quicker than one of its own, which must load torch first."""
    assert torch_lm.main(command(text, **options)[3:]) == 0
    return capsys.readouterr().out


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    with nothing_stays():
        yield


def test_a_killed_run_goes_on_to_the_same_number(
    tmp_path: Path, text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options: dict[str, Any] = {"dropout": 0.2, "device_batch": 2, "optimizer": "muon"}
    argv = command(text, **options, depth=1, tokens=6000, evaluations=12)[3:]
    checkpoint = tmp_path / "state" / "checkpoint.pt"

    def run(given: list[str]) -> str:
        capsys.readouterr()
        assert torch_lm.main(given) == 0
        return capsys.readouterr().out

    goes_on_to_the_same_numbers("tunewright_tools.torch_lm", run, argv, checkpoint)
    with pytest.raises(SystemExit, match="2"):
        torch_lm.main([*argv, f"--checkpoint={checkpoint}", "--beta2=0.9"])
    assert "is of another run: beta2 0.95 (now 0.9)" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_that_is_asked_to_end_keeps_its_state(tmp_path: Path, text: Path) -> None:
    checkpoint = tmp_path / "checkpoint.pt"
    argv = command(text, tokens=1e9, evaluations=1_000_000, checkpoint=str(checkpoint))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as asked:
        assert asked.stdout is not None
        while "step=" not in next(asked.stdout):
            pass
        asked.send_signal(signal.SIGTERM)
        assert asked.wait(20) == 143
    assert torch.load(checkpoint, weights_only=True)["progress"]["step"] >= 1


def test_a_budget_of_time(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [word for word in command(text, evaluations=2)[3:] if word not in ("--tokens", "3000")]
    assert torch_lm.main([*argv, "--seconds", "0.4"]) == 0
    said = capsys.readouterr().out
    seconds = [float(line.split("seconds=")[1].split()[0]) for line in said.splitlines() if line.startswith("step=")]
    assert len(seconds) == 2
    assert 0.4 <= seconds[-1] < 2


def test_a_learning_rate_that_is_too_high_diverges(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert torch_lm.main(command(text, learning_rate=1e30, grad_clip=0, warmup=0)[3:]) == 3
    assert "\nstatus: diverged\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "give one budget: --tokens or --seconds"),
        (["--seconds=1", "--width=20"], "--width 20 is not a multiple of 2 x --heads 4"),
        (["--seconds=1", "--device-batch=32"], "--device-batch 32 is above --batch-size 16"),
        (["--seconds=1", "--muon-momentum=0.9"], "--muon-momentum is for --optimizer muon"),
        (["--seconds=nan"], "--seconds must be a finite number above 0, not nan"),
        (["--seconds=1", "--vocab-size=512"], "--vocab-size is for --tokenizer bpe"),
        (["--seconds=1", "--mlp-ratio=0.001"], "--mlp-ratio 0.001 of --width 128 is no hidden unit"),
        (["--seconds=1", "--warmup=1"], "--warmup must be at least 0 and below 1"),
    ],
)
def test_wrong_arguments_end_it_with_a_message(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        torch_lm_options.arguments(argv)
    written = capsys.readouterr().err
    assert said in written
    # A conflict is the configuration's fault, anything else the person's who wrote the command or the space.
    conflict = any(words in said for words in ("multiple of", "is above", "no hidden unit"))
    assert from_exit(int(str(ended.value.code)), written, kernel_killed=False).fault == (
        "config" if conflict else "person"
    )


def shape(**sizes: Any) -> Shape:
    given: dict[str, Any] = {"vocabulary": 64, "context": 8, "depth": 2, "width": 32, "heads": 2, "mlp_ratio": 4.0}
    given |= {"activation": "gelu", "dropout": 0.0, "init_std": 0.02}
    return Shape(**(given | sizes))


def test_no_token_sees_what_comes_after_it() -> None:
    torch.manual_seed(0)
    model = Gpt(shape(init_std=0.5))
    torch.nn.init.normal_(model.head.weight)
    tokens = torch.randint(64, (1, 8))
    later = tokens.clone()
    later[0, 5:] = (later[0, 5:] + 1) % 64
    before, after = model(tokens), model(later)
    assert torch.equal(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5:], after[:, 5:])


def test_an_untrained_network_needs_the_logarithm_of_the_vocabulary() -> None:
    scores = Gpt(shape())(torch.zeros(2, 8, dtype=torch.long))
    assert torch.equal(scores, torch.zeros(2, 8, 64))


@pytest.mark.parametrize("activation", ["gelu", "relu2"])
def test_mup_keeps_the_size_of_the_first_update_across_widths(activation: str) -> None:
    """How much one AdamW step changes the network's output: about the same at 4 times the width, with muP alone."""

    def change(width: int, base: int | None) -> float:
        torch.manual_seed(0)
        size = shape(width=width, heads=width // 16, mup_base_width=base, activation=activation, depth=1)
        given = torch_lm_options.arguments(["--seconds=1", "--learning-rate=0.01", "--weight-decay=0"])
        model = Gpt(size)
        torch.nn.init.normal_(model.head.weight, std=1 / math.sqrt(64))
        made = optimizers(model, size, given)
        made[0].param_groups[0]["lr"] = made[0].param_groups[1]["lr"] = made[0].param_groups[2]["lr"] = 0.0
        tokens = torch.randint(64, (16, 9), generator=torch.Generator().manual_seed(1))
        before = model(tokens[:, :-1])
        torch.nn.functional.cross_entropy(before.flatten(0, 1), tokens[:, 1:].flatten()).backward()  # type: ignore[no-untyped-call]
        made[0].step()
        return float((model(tokens[:, :-1]) - before).detach().square().mean().sqrt())

    plain = change(256, None) / change(64, None)
    scaled = change(256, 64) / change(64, 64)
    assert abs(math.log(scaled)) < abs(math.log(plain)) / 2


def test_muon_has_the_matrices_of_the_blocks_and_adamw_the_rest() -> None:
    given = torch_lm_options.arguments(["--seconds=1", "--optimizer=muon", "--muon-learning-rate=0.03"])
    model = Gpt(shape())
    muon, adamw = optimizers(model, shape(), given)
    held = [len(group["params"]) for optimizer in (muon, adamw) for group in optimizer.param_groups]
    assert held == [2 * 6, 1, 1, 2 * 2 + 1]
    assert muon.param_groups[0]["lr"] == 0.03
    assert sum(held) == len(list(model.parameters()))


def test_bits_per_byte_is_the_same_sum_whatever_the_windows(text: Path) -> None:
    given = torch_lm_options.arguments(
        [f"--data={text}", "--tokens=100", "--context=7", "--width=16", "--heads=2", "--depth=1", "--device=cpu"]
    )
    task = torch_lm.Pretraining(given, read(str(text), 100), torch.device("cpu"))
    # An untrained network gives each of 256 bytes the same chance: 8 bits, all of the windows counted once.
    for given.device_batch, given.context in ((16, 7), (3, 7), (1, 99), (1, 100), (1, 500)):
        with torch.no_grad():
            metrics = task.evaluate(Gpt(shape(vocabulary=256, context=given.context)))
        assert metrics == {"val_bpb": pytest.approx(8.0)}


def test_the_text_is_cut_between_characters(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_text("é" * 101, encoding="utf-8")
    part = read(str(path), 9)
    assert (len(part.train), len(part.validation)) == (180, 8)
    part.train.decode()
    path.write_bytes(b"x")
    with pytest.raises(TrainingError, match="has 1 bytes"):
        read(str(path), 9)
    with pytest.raises(TrainingError, match="cannot be read"):
        read(str(tmp_path / "none"), 9)


def test_a_validation_text_that_has_nothing_to_measure(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("ab " * 1000)
    with pytest.raises(TrainingError, match="--validation-bytes 1 leaves 1 whole bytes"):
        read(str(tmp_path / "t.txt"), 1)
    pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    with pytest.raises(ConflictError, match="the 2 bytes to measure are one token"):
        as_bpe(read(str(tmp_path / "t.txt"), 2), 257)


def test_without_a_file_the_text_is_the_standard_library() -> None:
    text = read(None, 1000)
    assert text == read(None, 1000)
    assert len(text.train) > 3_000_000
    assert len(text.validation) == 1000
    assert b"def " in text.train


def test_a_bpe_accounts_for_every_byte(text: Path) -> None:
    pytest.importorskip("tokenizers")
    part = read(str(text), 500)
    tokens, same = as_bpe(part, 300), as_bpe(part, 300)
    assert int(tokens.validation_bytes.sum()) == len(part.validation)
    assert len(tokens.train) < len(as_bytes(part).train)
    assert int(tokens.train.max()) < tokens.vocabulary == 300
    assert torch.equal(tokens.train, same.train)
    with pytest.raises(TrainingError, match="the text has no more in it"):
        as_bpe(part, 5000)


def test_a_bpe_trains(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tokenizers")
    assert "\nval_bpb: " in here(capsys, text, tokenizer="bpe", vocab_size=300)


@pytest.mark.slow
def test_the_example_card_runs(tmp_path: Path) -> None:
    card = yaml.safe_load(CARD.read_text())
    config = {parameter["name"]: parameter["default"] for parameter in card["space"]} | {"width": 64, "depth": 1}
    assert set(config) <= set(LM.options)
    assert len(config) >= 14
    del config["muon_learning_rate"]
    words = [word for word in card["tool"]["command"] if not word.startswith("--seconds")]
    tool = CommandTool([*words, "--tokens=4000", "--evaluations=1"], [("val_bpb", "minimize")])
    outcome = tool.run(Job(0, 0, config, 0, tmp_path), lambda _: False)
    assert outcome.status == "done", outcome.detail


@pytest.mark.gpu
@pytest.mark.parametrize("options", [{}, {"compile": "on"}, {"optimizer": "muon"}])
def test_on_a_gpu(tmp_path: Path, text: Path, options: dict[str, Any]) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU")
    if "compile" in options and shutil.which("cc") is None:
        pytest.skip("torch.compile needs a C compiler on a GPU")
    outcome = go(tmp_path / "a", text, device="cuda", **options)
    assert outcome.status == "done", outcome.detail
    assert outcome.telemetry is not None
    assert outcome.telemetry.peak_gpu_bytes


@pytest.mark.gpu
def test_a_killed_run_on_a_gpu_goes_on_to_the_same_number(
    tmp_path: Path, text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU")
    argv = command(text, dropout=0.2, device_batch=2, tokens=60_000, evaluations=120, device="cuda")[3:]

    def run(given: list[str]) -> str:
        capsys.readouterr()
        assert torch_lm.main(given) == 0
        return capsys.readouterr().out

    goes_on_to_the_same_numbers("tunewright_tools.torch_lm", run, argv, tmp_path / "checkpoint.pt")


@pytest.mark.gpu
def test_a_cap_of_gpu_memory_ends_in_out_of_memory(tmp_path: Path, text: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU")
    tool = CommandTool(
        LM.argv([], TINY | {"data": str(text), "tokens": 1e6, "device": "cuda", "width": 2048, "heads": 16}), LM.metrics
    )
    limits = Limits(60, gpu_memory_bytes=200 << 20)
    assert tool.run(Job(0, 0, {}, 3, tmp_path, limits=limits), lambda _: False).status == "oom"
