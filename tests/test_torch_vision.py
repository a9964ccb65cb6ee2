"""The image trainer: it learns, resumes exactly, reads its three kinds of data, and augments as it says."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from training import contract, goes_on_to_the_same_numbers, nothing_stays

from tunewright_tools import torch_vision
from tunewright_tools.base import Job, Limits
from tunewright_tools.catalog import trainer
from tunewright_tools.command import CommandTool
from tunewright_tools.torch_errors import TrainingError
from tunewright_tools.torch_vision_data import Augmentation, read
from tunewright_tools.torch_vision_model import Shape, network

VISION = trainer("torch_vision")
CARD = Path(__file__).parent.parent / "examples" / "vision" / "tune.yaml"
SMALL = ["--device=cpu", "--width=4", "--learning-rate=0.02", "--batch-size=32"]


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    with nothing_stays():
        yield


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """240 images of 8x8 in three colours: bright at the top or at the bottom."""
    random = np.random.default_rng(0)
    labels = np.arange(240) % 2
    images = random.integers(0, 120, (240, 8, 8, 3), dtype=np.uint8)
    images[labels == 0, :4] += 100
    images[labels == 1, 4:] += 100
    np.savez(tmp_path / "images.npz", images=images, labels=labels)
    return tmp_path / "images.npz"


def run(capsys: pytest.CaptureFixture[str], argv: list[str]) -> str:
    capsys.readouterr()
    assert torch_vision.main(argv) == 0
    return capsys.readouterr().out


def last(said: str, name: str) -> float:
    return float(said.split(f"\n{name}: ")[1].split()[0])


def test_it_learns_the_digits_and_the_contract_reads_its_curve(capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, ["--device=cpu", "--width=8", "--learning-rate=0.01", "--epochs=4", "--evaluations=4"])
    read = contract(said, VISION.metrics)
    values = [point.metrics["val_accuracy"] for point in read.values.curve()]
    assert len(values) == 4
    assert read.values.final()["val_accuracy"] == values[-1] > 0.9
    assert read.reported["samples_per_second"] > 0


@pytest.mark.parametrize(
    "argv",
    [
        ["--arch=resnet", "--ema=0.9", "--mixup=0.5", "--flip=on", "--optimizer=sgd"],
        pytest.param(
            ["--arch=vit", "--heads=2", "--depth=1", "--dropout=0.2", "--shift=1", "--cutout=3", "--device-batch=16"],
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_killed_run_goes_on_to_the_same_numbers(
    argv: list[str], tmp_path: Path, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [*SMALL, *argv, "--label-smoothing=0.1", f"--data={archive}", "--epochs=15", "--evaluations=30"]
    checkpoint = tmp_path / "state" / "checkpoint.pt"
    goes_on_to_the_same_numbers("tunewright_tools.torch_vision", lambda given: run(capsys, given), argv, checkpoint)
    with pytest.raises(SystemExit, match="2"):
        torch_vision.main([*argv, f"--checkpoint={checkpoint}", "--data-seed=1"])
    said = capsys.readouterr().err
    assert "is of another run: data" in said
    assert "data_seed 0 (now 1)" in said


@pytest.mark.parametrize("arch", [["--arch=resnet"], ["--arch=vit", "--heads=2", "--depth=1", "--width=16"]])
def test_both_networks_learn(arch: list[str], archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = run(capsys, [*SMALL, *arch, f"--data={archive}", "--epochs=5", "--evaluations=1"])
    assert last(said, "val_accuracy") > 0.95


def test_another_seed_is_another_run(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [*SMALL, f"--data={archive}", "--epochs=1", "--mixup=1"]
    losses = [last(run(capsys, [*argv, f"--seed={seed}"]), "val_loss") for seed in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]


def test_bfloat16_on_a_cpu(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [*SMALL, f"--data={archive}", "--epochs=3"]
    half, whole = (last(run(capsys, [*argv, f"--amp={amp}"]), "val_loss") for amp in ("bfloat16", "off"))
    assert half != whole
    assert half == pytest.approx(whole, abs=0.1)


# -- data --------------------------------------------------------------------------------------------------------


def test_a_channel_that_is_the_same_everywhere_stays_at_zero(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (240, 8, 8, 3), dtype=np.uint8)
    images[..., 1] = 37
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(240) % 2)
    for augmentation, largest in (("--shift=0", 1e-6), ("--shift=1", 1.0)):
        given = torch_vision.arguments([*SMALL, "--epochs=1", augmentation])
        task = torch_vision.Vision(given, read(str(tmp_path / "a.npz"), None, 0.2, 0), torch.device("cpu"))
        seen, _ = task.rows(np.arange(192), np.random.default_rng(0))
        assert seen[:, 1].abs().max() < largest


def test_the_digits_need_no_file() -> None:
    images = read(None, None, 0.2, 0)
    assert images.train.shape == (1437, 8, 8, 1)
    assert (int(images.train.min()), int(images.train.max())) == (0, 255)
    assert images.digest == read(None, None, 0.2, 0).digest != read(None, None, 0.2, 1).digest
    assert np.bincount(images.validation_labels).min() >= 34


def test_an_archive_with_its_own_validation_part(tmp_path: Path) -> None:
    grey, label = np.zeros((4, 5, 6), np.uint8), np.array([0, 1, 2, 1])
    np.savez(tmp_path / "a.npz", images=grey, labels=label, val_images=grey[:1], val_labels=label[1:2])
    images = read(str(tmp_path / "a.npz"), None, 0.2, 0)
    assert (images.train.shape, images.validation.shape, images.classes) == ((4, 5, 6, 1), (1, 5, 6, 1), 3)
    assert images.validation_labels.tolist() == [1]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"images": np.zeros((4, 2, 2))}, "needs the arrays images and labels"),
        ({"images": np.zeros((4, 2, 2)), "labels": np.zeros(4, int)}, "images of float64"),
        ({"images": np.zeros((4, 2, 2), np.uint8), "labels": np.zeros(3, int)}, "4 images and labels \\(3,\\)"),
        ({"images": np.zeros((4, 2, 2), np.uint8), "labels": np.arange(4)}, "cannot be split with --validation-share"),
        ({"images": np.zeros((4, 2, 2), np.uint8), "labels": np.full(4, -1)}, "one from 0 for each image"),
        ({"images": np.zeros((4, 0, 2), np.uint8), "labels": np.arange(4) % 2}, "images without pixels"),
        ({"images": np.zeros((4, 2, 2, 0), np.uint8), "labels": np.arange(4) % 2}, "images without pixels"),
        (
            {"images": np.zeros((4, 2, 2), np.uint8), "labels": np.array([0, 2**63] * 2, np.uint64)},
            "has the label 9223372036854775808; labels are the numbers of the classes, from 0 and below 1000000",
        ),
    ],
)
def test_an_archive_that_is_something_else(arrays: dict[str, Any], said: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(TrainingError, match=said):
        read(str(tmp_path / "a.npz"), None, 0.2, 0)


def folder(root: Path, parts: list[str]) -> Path:
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    for part in parts:
        for label, colour in (("cat", (255, 0, 0)), ("dog", (0, 0, 255))):
            (root / part / label).mkdir(parents=True)
            for number in range(4):
                image.new("RGB", (12 + number, 8), colour).save(root / part / label / f"{number}.png")
    return root


def test_a_folder_of_classes(tmp_path: Path) -> None:
    images = read(str(folder(tmp_path, ["."])), 6, 0.25, 0)
    assert (images.train.shape, images.validation.shape, images.classes) == ((6, 6, 6, 3), (2, 6, 6, 3), 2)
    for pixels, label in zip(images.train, images.train_labels, strict=True):
        assert pixels[3, 3].tolist() == ([255, 0, 0] if label == 0 else [0, 0, 255])


def test_an_image_of_sixteen_bits_keeps_its_greys(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    greys = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        for number in range(4):
            image.fromarray(greys).save(tmp_path / label / f"{number}.png")
    assert (read(str(tmp_path), 8, 0.25, 0).train == (greys // 256)[..., None]).all()


def test_a_folder_with_train_and_val(tmp_path: Path) -> None:
    root = folder(tmp_path, ["train", "val"])
    (root / "val" / "cat" / "0.png").unlink()
    images = read(str(root), 6, 0.25, 0)
    assert (len(images.train), len(images.validation), images.classes) == (8, 7, 2)
    assert images.validation_labels.tolist() == [0, 0, 0, 1, 1, 1, 1]
    (root / "train" / "dog" / "0.png").write_bytes(b"no image")
    with pytest.raises(TrainingError, match=r"dog/0.png cannot be read"):
        read(str(root), 6, 0.25, 0)
    with pytest.raises(TrainingError, match="needs --image-size"):
        read(str(root), None, 0.25, 0)


def test_a_class_to_measure_that_is_not_trained_on(tmp_path: Path) -> None:
    root = folder(tmp_path, ["train", "val"])
    shutil.rmtree(root / "train" / "cat")
    shutil.copytree(root / "train" / "dog", root / "train" / "emu")
    with pytest.raises(TrainingError, match="has a class to measure, 0, that is not trained on"):
        read(str(root), 6, 0.25, 0)


def test_a_folder_without_images_is_no_class(tmp_path: Path) -> None:
    root = folder(tmp_path, ["train", "val"])
    (root / "train" / ".checkpoints").mkdir()
    images = read(str(root), 6, 0.25, 0)
    assert (images.classes, set(images.train_labels.tolist())) == (2, {0, 1})


def test_a_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="has no subfolders with images"):
        read(str(tmp_path), 8, 0.2, 0)
    with pytest.raises(TrainingError, match="is neither a folder nor"):
        read(str(tmp_path / "none"), 8, 0.2, 0)


def test_a_folder_with_one_class(tmp_path: Path) -> None:
    shutil.rmtree(folder(tmp_path, ["."]) / "dog")
    with pytest.raises(TrainingError, match="are of one class; there is nothing to tell apart"):
        read(str(tmp_path), 8, 0.25, 0)


def test_an_archive_that_is_cut_off(archive: Path) -> None:
    whole = archive.read_bytes()
    for size in (0, 30, len(whole) // 2, len(whole) - 1):
        archive.write_bytes(whole[:size])
        with pytest.raises(TrainingError, match=r"images.npz cannot be read"):
            read(str(archive), None, 0.2, 0)


# -- augmentation ------------------------------------------------------------------------------------------------


def augmented(images: torch.Tensor, **options: Any) -> tuple[torch.Tensor, torch.Tensor]:
    targets = torch.eye(len(images))
    return Augmentation(**options).apply(images, targets, np.random.default_rng(0))


def test_nothing_is_done_unless_asked_for() -> None:
    images = torch.rand(5, 2, 6, 4)
    assert torch.equal(augmented(images)[0], images)


def test_a_shift_moves_each_image_by_its_own_way() -> None:
    images = torch.zeros(40, 1, 7, 9)
    images[:, :, 3, 4] = 1
    moved, _ = augmented(images, shift=2)
    places = {tuple(place[1:].tolist()) for place in moved[:, 0].nonzero()}
    assert moved.sum() == 40
    assert {row for row, _ in places} == {1, 2, 3, 4, 5}
    assert {column for _, column in places} == {2, 3, 4, 5, 6}


def test_a_flip_mirrors_about_half() -> None:
    images = torch.rand(100, 1, 3, 4)
    flipped, _ = augmented(images, flip=True)
    mirrored = [bool(torch.equal(new, old.flip(2))) for new, old in zip(flipped, images, strict=True)]
    same = [bool(torch.equal(new, old)) for new, old in zip(flipped, images, strict=True)]
    assert 30 < sum(mirrored) < 70
    assert all(one != other for one, other in zip(mirrored, same, strict=True))


def test_a_cutout_blackens_one_square() -> None:
    cut, _ = augmented(torch.ones(60, 2, 9, 9), cutout=3)
    black = (cut == 0).all(1)
    assert torch.equal((cut == 0).any(1), black)
    assert int(black.sum((1, 2)).max()) == 9
    assert int(black.sum((1, 2)).min()) >= 4  # a corner may hang over the edge
    assert len(set(black.float().argmax(1).argmax(1).tolist())) > 3


def test_mixup_mixes_images_and_targets_alike() -> None:
    images = torch.arange(6.0).view(6, 1, 1, 1).expand(6, 1, 2, 2)
    mixed, targets = augmented(images, mixup=1.0)
    assert torch.allclose(targets.sum(1), torch.ones(6))
    assert torch.allclose(mixed[:, 0, 0, 0], targets @ torch.arange(6.0))
    assert not torch.allclose(mixed, images)


# -- networks and the command line -------------------------------------------------------------------------------


def shape(arch: str, **sizes: int) -> Shape:
    kept = {"channels": 3, "height": 16, "width": 12, "classes": 5, "model_width": 8, "depth": 2, "heads": 2} | sizes
    return Shape(arch, **kept, patch_size=4, stem_stride=1, dropout=0.0)


@pytest.mark.parametrize("arch", ["resnet", "vit"])
def test_a_network_scores_every_class(arch: str) -> None:
    assert network(shape(arch))(torch.rand(2, 3, 16, 12)).shape == (2, 5)


def test_the_size_of_a_residual_network_is_that_of_the_paper() -> None:
    # ResNet-20 of the paper's Table 6, 0.27M weights; its shortcuts have none, these have 1x1 convolutions with norms.
    sizes = shape("resnet", model_width=16, depth=3, classes=10, height=32, width=32)
    weights = sum(weight.numel() for weight in network(sizes).parameters())
    shortcuts = 16 * 32 + 32 * 64 + 2 * (32 + 64)
    assert weights - shortcuts == 269_722


def test_images_that_are_no_whole_patches() -> None:
    with pytest.raises(TrainingError, match="images of 15x12 are not whole patches of --patch-size 4"):
        network(shape("vit", height=15))


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--heads=2"], "--heads is for --arch vit"),
        (["--arch=vit", "--width=30"], "--width 30 is not a multiple of --heads 4"),
        (["--arch=vit", "--stem-stride=2"], "--stem-stride is for --arch resnet"),
        (["--label-smoothing=1"], "--label-smoothing must be at least 0 and below 1, not 1.0"),
        (["--validation-share=0"], "--validation-share must be above 0 and below 1, not 0.0"),
        (["--depth=0"], "--depth must be at least 1 and finite, not 0"),
        (["--image-size=8"], "--image-size is for a folder of images"),
        (["--data=none.npz"], "--data none.npz cannot be read"),
    ],
)
def test_wrong_arguments_end_it_with_a_message(argv: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="1" if "multiple" in said else "2"):
        torch_vision.main(["--epochs=1", *argv])
    assert said in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler on a CPU")
def test_compiled_training_gives_the_same_curve(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from torch._dynamo.utils import counters

    counters.clear()
    argv = [*SMALL, f"--data={archive}", "--epochs=2", "--ema=0.5"]
    compiled, plain = (last(run(capsys, [*argv, f"--compile={given}"]), "val_loss") for given in ("on", "off"))
    assert counters["stats"]["unique_graphs"] >= 1
    assert compiled == pytest.approx(plain, rel=0.01)


def test_one_pixel_of_one_example_has_no_batch_norm(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = [*SMALL, f"--data={archive}", "--epochs=0.1", "--batch-size=9", "--device-batch=8", "--evaluations=1"]
    with pytest.raises(SystemExit, match="1"):
        torch_vision.main([*one, "--stem-stride=2"])
    assert "--batch-size 9 in parts of --device-batch 8 leaves batch normalization" in capsys.readouterr().err
    run(capsys, one)  # two pixels each way


@pytest.mark.slow
def test_the_example_card_runs(tmp_path: Path) -> None:
    card = yaml.safe_load(CARD.read_text())
    config = {parameter["name"]: parameter["default"] for parameter in card["space"]}
    argv = VISION.argv(config, card["tool"]["options"] | {"epochs": 1, "evaluations": 1})
    outcome = CommandTool(argv, VISION.metrics).run(Job(0, 0, config, 0, tmp_path), lambda _: False)
    assert outcome.status == "done", outcome.detail


@pytest.mark.gpu
@pytest.mark.parametrize("options", [{}, {"compile": "on"}, {"arch": "vit", "mixup": 0.5}, {"ema": 0.9, "shift": 1}])
def test_on_a_gpu(tmp_path: Path, options: dict[str, Any]) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU")
    if "compile" in options and shutil.which("cc") is None:
        pytest.skip("torch.compile needs a C compiler on a GPU")
    fixed = {"device": "cuda", "epochs": 3} | options
    tool = CommandTool(VISION.argv([], fixed), VISION.metrics)
    outcome = tool.run(Job(0, 0, {}, 3, tmp_path, limits=Limits(110)), lambda _: False)
    assert outcome.status == "done", outcome.detail
    assert outcome.telemetry is not None
    assert outcome.telemetry.peak_gpu_bytes
