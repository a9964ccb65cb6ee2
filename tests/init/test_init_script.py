"""What is read of real small scripts, one of each kind."""

from pathlib import Path

import pytest
from scripts_here import SCRIPTS, tunable

from tunewright.errors import CardError
from tunewright.init import Option, read_script


def options(name: str) -> dict[str, Option]:
    return {o.name: o for o in read_script(SCRIPTS / name).options}


def passed(name: str) -> dict[str, str]:
    return {o.name: o.argument for o in tunable(read_script(SCRIPTS / name))}


def test_argparse_types_defaults_helps_and_choices() -> None:
    found = options("with_argparse.py")
    assert found["lr"] == Option(
        "lr", "--lr", "float", "argparse", 27, 0.001, "peak rate", argument="--lr={lr}",
        aliases=("--lr", "-l", "--learning-rate"),
    )  # fmt: skip
    assert found["optimizer"].choices == ("adamw", "sgd")
    assert (found["weight_decay"].kind, found["weight_decay"].help) == ("float", "decay, 50% of it coupled")
    assert (found["batch_size"].argument, found["batch_size"].label) == ("-b{batch_size}", "-b")
    assert found["width"].default == 64  # a constant, by arithmetic
    assert found["heads"].choices == (1, 2, 4)
    assert (found["amp"].choices, found["amp"].default, found["amp"].argument) == (("amp", "no-amp"), "amp", "--{amp}")
    assert (found["ema"].kind, found["ema"].default) == ("bool", False)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("data_dir", "path"),
        ("seed_", "seed"),
        ("epochs", "budget"),
        ("num_workers", "speed"),
        ("device", "where to run"),
        ("api_key", "credential"),
        ("nesterov", "switch"),
        ("wrong_bool", "type=bool"),
        ("untyped", "add type=float"),
        ("clip", "default None"),
        ("betas", "list"),
        ("tuned_elsewhere", "run time"),
        ("cosine", "excludes"),
        ("linear", "excludes"),
    ],
)
def test_argparse_options_that_are_left_out_say_why(name: str, reason: str) -> None:
    assert reason in options("with_argparse.py")[name].held_back


def test_the_rest_is_tuned() -> None:
    assert [*passed("with_argparse.py")] == [
        "lr", "optimizer", "weight_decay", "batch_size", "width", "heads", "amp", "ema",
    ]  # fmt: skip


def test_a_name_made_at_run_time_is_told_with_its_line() -> None:
    unread = read_script(SCRIPTS / "with_argparse.py").unread
    assert any(u.line == 47 and "run time" in u.why for u in unread)


def test_a_name_for_add_argument_stands_for_it(tmp_path: Path) -> None:
    script = tmp_path / "short.py"
    script.write_text(
        "import argparse\n"
        "class Options:\n"
        "    def __init__(self):\n"
        "        parser = argparse.ArgumentParser()\n"
        "        add = parser.add_argument\n"
        "        add('--lr', type=float, default=1e-3, help='peak rate')\n"
        "        either = parser.add_mutually_exclusive_group()\n"
        "        self.add = either.add_argument\n"
        "        self.add('--momentum', type=float, default=0.9)\n"
        "        commands = parser.add_subparsers()\n"
        "        add = commands.add_parser('train').add_argument\n"
        "        add('--width', type=int, default=64)\n"
        "        add = print\n"
        "        add('--no-option')\n"
        "Options()\n"
    )
    found = read_script(script)
    assert [(o.name, o.command, o.argument) for o in found.options] == [
        ("lr", "", "--lr={lr}"),
        ("momentum", "", "--momentum={momentum}"),
        ("width", "train", "--width={width}"),
    ]
    assert found.options[0].help == "peak rate"
    assert "excludes" in found.options[1].held_back


def test_a_credential_is_kept_nowhere() -> None:
    assert "sk-secret" not in repr(read_script(SCRIPTS / "with_argparse.py"))


def test_subcommands_and_shared_parents() -> None:
    reading = read_script(SCRIPTS / "with_subcommands.py")
    assert reading.commands == ("train", "evaluate")
    assert [(o.command, o.name) for o in reading.options] == [
        ("train", "width"),
        ("evaluate", "width"),
        ("", "level"),
        ("train", "lr"),
        ("evaluate", "temperature"),
    ]


SHARED = """\
import argparse

def common(p):
    p.add_argument("--lr", type=float, default=1e-3)
    model(p.add_argument_group("model"))

def model(group):
    group.add_argument("--width", type=int, default=64)

def only_one(parser, *, small=False):
    either = parser.add_mutually_exclusive_group()
    either.add_argument("--depth", type=int, default=2)

class Data:
    @staticmethod
    def options(parent):
        parent.add_argument("--batch", type=int, default=32)

p = argparse.ArgumentParser()
commands = p.add_subparsers(dest="command", required=True)
train = commands.add_parser("train")
common(train)
only_one(parser=train)
score = commands.add_parser("score")
common(score)
Data.options(p)
p.parse_args()
"""


def test_a_parser_that_a_function_is_given_keeps_its_subcommand(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SHARED)
    reading = read_script(tmp_path / "train.py")
    found = {(o.command, o.name): o.held_back for o in reading.options}
    assert [*found] == [
        ("train", "lr"), ("score", "lr"), ("train", "width"), ("score", "width"), ("train", "depth"), ("", "batch"),
    ]  # fmt: skip
    assert "excludes" in found["train", "depth"]
    assert reading.commands == ("train", "score")


def test_a_function_that_gives_its_parser_to_itself_is_read(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import argparse\n"
        "def add(parser, more):\n"
        '    parser.add_argument("--lr", type=float, default=0.1)\n'
        "    if more:\n"
        "        add(parser, False)\n"
        "add(argparse.ArgumentParser(), True)\n"
    )
    assert [(o.command, o.name) for o in read_script(tmp_path / "train.py").options] == [("", "lr")]


def test_click() -> None:
    found = options("with_click.py")
    assert (found["lr"].kind, found["lr"].default, found["lr"].help) == ("float", 0.003, "Step size.")
    assert (found["layers"].kind, found["layers"].low, found["layers"].high) == ("int", 1, 8)
    assert (found["momentum"].high, found["momentum"].high_open) == (1, True)
    assert (found["temperature"].low, found["temperature"].low_open) == (0, True)
    assert found["activation"].choices == ("relu", "gelu")
    assert found["shuffle"].choices == ("shuffle", "no-shuffle")
    assert found["alpha"].required
    assert found["epochs"].argument == "{epochs}"
    held = {name: o.held_back for name, o in found.items() if o.held_back}
    assert held.keys() == {"fast", "tag", "out", "epochs"}


def test_click_groups() -> None:
    reading = read_script(SCRIPTS / "with_click_group.py")
    assert reading.commands == ("train", "score")
    assert [(o.command, o.name) for o in reading.options] == [("", "scale"), ("train", "lr"), ("score", "depth")]


def test_typer_of_both_styles() -> None:
    found = options("with_typer.py")
    assert (found["lr"].low, found["lr"].high, found["lr"].help) == (1e-6, 1.0, "Step size.")
    assert found["hidden_size"].argument == "--hidden-size={hidden_size}"
    assert (found["dropout"].default, found["dropout"].help) == (0.1, "Share of units dropped.")
    assert (found["loss"].choices, found["loss"].default) == (("mse", "huber"), "mse")
    assert found["schedule"].choices == ("cosine", "linear")
    assert (found["amp"].argument, found["amp"].default) == ("--{amp}", "amp")
    assert (found["bias"].choices, found["bias"].default) == (("bias", "without-bias"), "without-bias")
    assert (found["depth"].argument, found["depth"].low) == ("{depth}", 1)
    assert {name for name, o in found.items() if o.held_back} == {"data", "quick", "clip", "sizes"}


def test_dataclasses_nested_for_tyro() -> None:
    found = options("with_dataclass.py")
    assert found["optimizer__lr"].argument == "--optimizer.lr={optimizer__lr}"
    assert found["optimizer__lr"].help == "peak step size"
    assert found["label_smoothing"].help == "smoothing of the labels"
    assert found["layers"].help == "How many layers."
    assert found["optimizer__nesterov"].choices == ("optimizer.nesterov", "optimizer.no-nesterov")
    assert found["kind"].choices == ("a", "b")


def test_dataclasses_for_hf_argument_parser_and_only_those_it_gets() -> None:
    assert passed("with_hf_arguments.py") == {"dropout": "--dropout={dropout}", "tie": "--tie={tie}"}
    assert options("with_hf_arguments.py")["dropout"].help == "share of units dropped"


def test_a_field_that_has_help_and_no_default_is_required(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "from dataclasses import dataclass, field\n"
        "from transformers import HfArgumentParser\n"
        "@dataclass\n"
        "class Arguments:\n"
        '    model_name: str = field(metadata={"help": "where it lies"})\n'
        '    rank: int = field(metadata={"help": "of LoRA"})\n'
        '    alpha: float = field(default=16.0, metadata={"help": "of LoRA"})\n'
        "    names: list[str] = field(default_factory=list)\n"
        "HfArgumentParser(Arguments).parse_args_into_dataclasses()\n"
    )
    required = {o.name: o.required for o in read_script(tmp_path / "train.py").options}
    assert required == {"model_name": True, "rank": True, "alpha": False, "names": False}


def test_a_dataclass_that_nothing_parses_has_no_way_in(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("from dataclasses import dataclass\n@dataclass\nclass A:\n    lr: float = 0.1\n")
    reading = read_script(script)
    assert reading.needs_config
    assert "TUNEWRIGHT_CONFIG" in reading.options[0].held_back


def test_a_field_that_a_subclass_redefines_is_one_option_with_its_default(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "from dataclasses import dataclass\nimport tyro\n"
        "@dataclass\nclass Base:\n    lr: float = 0.1\n    width: int = 64\n"
        "@dataclass\nclass Middle(Base):\n    drop: float = 0.1\n"
        "@dataclass\nclass Args(Middle):\n    lr: float = 0.01\n"
        "args = tyro.cli(Args)\n"
    )
    found = {o.name: (o.default, o.argument) for o in read_script(script).options}
    assert found == {"width": (64, "--width={width}"), "drop": (0.1, "--drop={drop}"), "lr": (0.01, "--lr={lr}")}


def test_defaults_of_a_nested_dataclass_are_those_that_it_is_made_with(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "from dataclasses import dataclass, field\nfrom functools import partial\nimport tyro\n"
        "@dataclass(frozen=True)\nclass Deep:\n    drop: float = 0.1\n"
        "@dataclass(frozen=True)\nclass Inner:\n    width: int\n    lr: float = 0.1\n    deep: Deep = Deep()\n"
        "@dataclass\nclass Args:\n"
        "    a: Inner = Inner(width=8, lr=0.2)\n"
        "    b: Inner = field(default_factory=lambda: Inner(width=8, lr=0.3, deep=Deep(drop=0.4)))\n"
        "    c: Inner = field(default_factory=partial(Inner, width=8))\n"
        "    d: Inner | None = None\n"
        "args = tyro.cli(Args)\n"
    )
    reading = read_script(script)
    assert {o.label: o.default for o in reading.options} == {
        "--a.width": 8,
        "--a.lr": 0.2,
        "--a.deep.drop": 0.1,
        "--b.width": 8,
        "--b.lr": 0.3,
        "--b.deep.drop": 0.4,
        "--c.width": 8,
        "--c.lr": 0.1,
        "--c.deep.drop": 0.1,
    }
    assert not any(o.required for o in reading.options)
    assert [(u.what, "None" in u.why) for u in reading.unread] == [("d", True)]


@pytest.mark.parametrize(
    ("rows", "by_name"),
    [  # each was compared with what the library itself takes
        (["import tyro", "tyro.cli(Args)"], True),
        (["import tyro", "def f(act: Act = Act.RELU): ...", "tyro.cli(f)"], True),
        (["import simple_parsing", "simple_parsing.parse(Args)"], True),
        (["import pyrallis", "pyrallis.parse(config_class=Args)"], True),
        (["from omegaconf import OmegaConf", "OmegaConf.structured(Args)"], True),
        (["from transformers import HfArgumentParser", "HfArgumentParser(Args)"], False),
        (["import typer", "app = typer.Typer()", "@app.command()", "def f(act: Act = Act.RELU): ..."], False),
    ],
)
def test_members_of_an_enumeration_are_passed_as_the_parser_takes_them(
    tmp_path: Path, rows: list[str], by_name: bool
) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import enum\nfrom dataclasses import dataclass\n"
        "class Act(enum.Enum):\n    RELU = 'relu'\n    GELU = 'gelu'\n"
        "class Size(enum.Enum):\n    BIG = (8, 9)\n    SMALL = (1, 2)\n"
        "@dataclass\nclass Args:\n    act: Act = Act.RELU\n    size: Size = Size.BIG\n" + "\n".join(rows)
    )
    found = {o.name: o for o in read_script(script).options}["act"]
    expected = (("RELU", "GELU"), "RELU") if by_name else (("relu", "gelu"), "relu")
    assert (found.choices, found.default, found.held_back) == (*expected, "")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [  # each form was compared with what the library itself takes
        (["import tyro", "tyro.cli(Outer)"], ["--inner.lr={inner__lr}", "--{inner__amp}", "--width={width}"]),
        (["from simple_parsing import parse", "parse(Outer)"], ["--lr={lr}", "--amp={amp}", "--width={width}"]),
        (
            ["import pyrallis", "@pyrallis.wrap()", "def main(cfg: Outer):", "    pass"],
            ["--inner.lr={inner__lr}", "--inner.amp={inner__amp}", "--width={width}"],
        ),
        (["import tyro", "def f(lr: float = 0.1, amp: bool = True): ...", "tyro.cli(f)"], ["--lr={lr}", "--{amp}"]),
    ],
)
def test_each_parser_of_dataclasses_has_flags_of_its_own(tmp_path: Path, rows: list[str], expected: list[str]) -> None:
    script = tmp_path / "train.py"
    classes = (
        "from dataclasses import dataclass, field\n"
        "@dataclass\nclass Inner:\n    lr: float = 0.1\n    amp: bool = False\n"
        "@dataclass\nclass Outer:\n    inner: Inner = field(default_factory=Inner)\n    width: int = 8\n"
    )
    script.write_text(classes + "\n".join(rows))
    assert [o.argument for o in tunable(read_script(script))] == expected


@pytest.mark.parametrize(
    ("fields", "rows", "expected"),
    [  # each was compared with what simple-parsing 0.1.9 itself takes
        ("a: A\n    b: B\n    top: int = 3", ["parse(C)"], ["--a.lr", "--wa", "--b.lr", "--wb", "--top"]),
        ("lr: float = 0\n    a: A\n    b: B", ["parse(C)"], ["--lr", "--a.lr", "--wa", "--b.lr", "--wb"]),
        ("e: A\n    f: A", ["parse(C)"], ["--e.lr", "--e.wa", "--f.lr", "--f.wa"]),
        ("a: A\n    n: N", ["parse(C)"], ["--lr", "--wa", "--e.lr", "--e.wa", "--f.lr", "--f.wa"]),
        (
            "n: N\n    m: N",
            ["parse(C)"],
            [f"--{n}.{e}.{field}" for n in "nm" for e in "ef" for field in ("lr", "wa")],
        ),
        (
            "top: int = 3",
            ["p = ArgumentParser()", "p.add_arguments(A, 'one')", "p.add_arguments(B, dest='two')"],
            ["--one.lr", "--wa", "--two.lr", "--wb"],
        ),
    ],
)
def test_simple_parsing_tells_fields_of_the_same_name_apart_by_their_path(
    tmp_path: Path, fields: str, rows: list[str], expected: list[str]
) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "from dataclasses import dataclass\nfrom simple_parsing import ArgumentParser, parse\n"
        "@dataclass\nclass A:\n    lr: float = 0.1\n    wa: float = 0.5\n"
        "@dataclass\nclass B:\n    lr: float = 0.2\n    wb: float = 0.5\n"
        "@dataclass\nclass N:\n    e: A\n    f: A\n"
        f"@dataclass\nclass C:\n    {fields}\n" + "\n".join(rows)
    )
    found = read_script(script).options
    assert [o.label for o in found] == expected
    assert [o.argument for o in found] == [f"{label}={{{o.name}}}" for label, o in zip(expected, found, strict=True)]


def test_options_of_another_file_are_named(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "from dataclasses import dataclass\nfrom transformers import HfArgumentParser, TrainingArguments\n"
        "@dataclass\nclass Own(TrainingArguments):\n    lr: float = 0.1\n"
        "HfArgumentParser((Own, TrainingArguments)).parse_args_into_dataclasses()\n"
    )
    reading = read_script(script)
    assert [o.name for o in reading.options] == ["lr"]
    assert [(u.line, u.what) for u in reading.unread] == [(4, "TrainingArguments"), (6, "TrainingArguments")]


def test_hydra_composes_its_files() -> None:
    found = options("hydra/train.py")
    assert (found["model__depth"].default, found["model__width"].default) == (5, 64)  # _self_ comes last
    assert found["optimizer__lr"].default == 0.001  # 1e-3 is a number to OmegaConf
    assert found["optimizer__lr"].argument == "optimizer.lr={optimizer__lr}"
    assert found["optimizer__lr"].where == "config.yaml:7"
    assert found["amp"].default is True
    assert found["model"].choices == ("mlp", "wide")
    assert "interpolation" in found["optimizer__eps"].held_back
    assert (found["data__path"].required, "???" in found["data__path"].held_back) == (True, True)
    assert "list" in found["layers"].held_back
    assert not any(name.startswith("hydra") for name in found)
    assert "AdamW" in read_script(SCRIPTS / "hydra/train.py").words


def test_a_configuration_file_on_its_own() -> None:
    reading = read_script(SCRIPTS / "hydra/conf/config.yaml")
    assert not reading.runs
    assert {o.name for o in tunable(reading)} >= {"model__depth", "optimizer__lr"}


def test_a_sweep_of_weights_and_biases_is_no_configuration_whose_numbers_could_be_tuned(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(
        "method: bayes\nprogram: train.py\nparameters:\n  lr: {min: 1e-4, max: 0.1}\n  size: {values: [1, 2]}\n"
    )
    with pytest.raises(CardError, match=r"sweep\.yaml is a sweep of Weights & Biases") as e:
        read_script(sweep)
    assert "tunewright init SCRIPT.py" in e.value.hint
    sweep.write_text("method: grid\nparameters:\n  adam:\n    parameters:\n      lr: {values: [1, 2]}\n")
    with pytest.raises(CardError, match="is a sweep"):
        read_script(sweep)
    sweep.write_text("method: dpo\nparameters:\n  lora: {min: 8}\n")
    assert "parameters__lora__min" in [o.name for o in read_script(sweep).options]
    sweep.write_text("method: adam\nparameters:\n  lr: 0.1\n")  # a configuration that has these words
    assert [o.name for o in read_script(sweep).options] == ["method", "parameters__lr"]


def test_hydra_with_a_structured_config(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "from dataclasses import dataclass\nimport hydra\nfrom hydra.core.config_store import ConfigStore\n"
        "@dataclass\nclass Config:\n    lr: float = 0.1\n    amp: bool = False\n"
        'ConfigStore.instance().store(name="config", node=Config)\n'
        '@hydra.main(version_base=None, config_name="config")\ndef main(cfg):\n    pass\n'
    )
    assert {o.name: o.argument for o in tunable(read_script(script))} == {"lr": "lr={lr}", "amp": "amp={amp}"}


def test_omegaconf_from_the_command_line() -> None:
    assert passed("with_omegaconf.py") == {"width": "width={width}", "depth": "depth={depth}"}


def test_no_link_out_of_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text("lr: 0.5\n")
    project = tmp_path / "project"
    (project / "conf").mkdir(parents=True)
    (project / "train.py").write_text((SCRIPTS / "hydra/train.py").read_text())
    (project / "conf" / "config.yaml").symlink_to(tmp_path / "secret.yaml")
    reading = read_script(project / "train.py")
    assert not reading.options
    assert "link" in reading.unread[0].why
    (project / "conf" / "config.yaml").unlink()
    (project / "conf" / "config.yaml").write_text("defaults:\n  - ../../secret\n  - model: ../../../secret\nwd: 0.1\n")
    reading = read_script(project / "train.py")
    assert [o.name for o in reading.options] == ["wd"]
    assert len([u for u in reading.unread if "outside" in u.why]) == 2


def test_no_configuration_outside_the_root_is_read(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "config.yaml").write_text("lr: 0.5\n")
    (tmp_path / "src").mkdir()
    text = (SCRIPTS / "hydra/train.py").read_text().replace('"conf"', '"../conf"')
    (tmp_path / "src" / "train.py").write_text(text)
    assert [o.name for o in read_script(tmp_path / "src" / "train.py").options] == ["lr"]
    inside = read_script(tmp_path / "src" / "train.py", root=tmp_path / "src")
    assert not inside.options
    assert "outside" in inside.unread[0].why


def test_constants_have_no_way_in_until_the_script_reads_the_file() -> None:
    alone = read_script(SCRIPTS / "with_constants.py")
    assert alone.needs_config
    assert not tunable(alone)
    assert {o.name: o.default for o in alone.options} == {
        "LEARNING_RATE": 3e-4, "HIDDEN": 128, "USE_BIAS": True, "DATA": "data.csv",
    }  # fmt: skip
    assert alone.options[0].help == "of Adam"
    reading = read_script(SCRIPTS / "with_constants_from_file.py")
    assert [o.name for o in tunable(reading)] == ["LEARNING_RATE", "HIDDEN"]
    assert [o.name for o in tunable(read_script(SCRIPTS / "with_config_get.py"))] == ["rate", "layers"]


def test_constants_beside_arguments_are_named_and_left_out() -> None:
    reading = read_script(SCRIPTS / "mixed.py")
    assert [o.name for o in reading.options] == ["lr"]
    assert any("WARMUP" in u.what for u in reading.unread)


@pytest.mark.parametrize(
    ("name", "metrics"),
    [
        ("with_argparse.py", [("train_loss", True), ("val_loss", False), ("lr", False)]),
        ("with_click.py", [("accuracy", True)]),
        ("with_typer.py", [("val_acc", True)]),
        ("with_dataclass.py", [("val_loss", False)]),
        ("with_hf_arguments.py", [("eval_loss", False)]),
        ("with_subcommands.py", [("score", False)]),
        ("mixed.py", []),
    ],
)
def test_metrics_that_count_by_the_output_contract(name: str, metrics: list[tuple[str, bool]]) -> None:
    assert [(m.name, m.curve) for m in read_script(SCRIPTS / name).metrics] == metrics


def test_numbers_that_do_not_count_are_told() -> None:
    whys = {u.what: u.why for u in read_script(SCRIPTS / "mixed.py").unread}
    assert "print them too" in whys["wandb.log(...)"]
    assert any("Final accuracy" in what and "name: value" in why for what, why in whys.items())


def test_nothing_is_run(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nraise SystemExit(9)\n")
    read_script(script)
    assert not (tmp_path / "ran").exists()


def test_a_file_that_is_no_script(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("x = 1\ndef f(:\n    pass\n")
    with pytest.raises(CardError, match=r"broken\.py:2"):
        read_script(broken)
    with pytest.raises(CardError, match="there is no file"):
        read_script(tmp_path / "none.py")
    with pytest.raises(CardError, match="is a folder"):
        read_script(tmp_path)
    (tmp_path / "latin.py").write_bytes(b"x = 1\ny = '\xe9'\n")
    with pytest.raises(CardError, match=r"latin\.py:2: byte 0xe9"):
        read_script(tmp_path / "latin.py")
    (tmp_path / "bad.yaml").write_text("a: 1\nb: [1\n")
    with pytest.raises(CardError, match=r"bad\.yaml:"):
        read_script(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(CardError, match="no mapping"):
        read_script(tmp_path / "list.yaml")
