"""Reading earlier trials: CSV files, Optuna studies and our own, each as people really have them."""

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Any

import optuna
import pytest
from toy import card, config, done, failed, objective

from tunewright import Tuner
from tunewright.earlier import Earlier, Row, fitting
from tunewright.earlier_sources import read, read_all
from tunewright.errors import CardError, StudyError
from tunewright.export.study import study_to
from tunewright.space import Choice, Float, Space
from tunewright.study import Study
from tunewright_tools.base import Outcome


def csv(folder: Path, text: str, name: str = "past.csv") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def optuna_study(storage: Any = None, direction: str = "minimize") -> optuna.Study:
    study = optuna.create_study(study_name="old", storage=storage, direction=direction)

    def run(trial: optuna.Trial) -> float:
        given = {
            "lr": trial.suggest_float("lr", 1e-5, 1e-1, log=True),
            "width": 2 ** trial.suggest_int("log2_width", 4, 9),
        }
        given["optimizer"] = trial.suggest_categorical("optimizer", ["adamw", "sgd"])
        trial.suggest_int("width", given["width"], given["width"])
        if given["optimizer"] == "sgd":
            trial.suggest_float("momentum", 0.5, 0.99)
        if trial.number == 3:
            raise ArithmeticError
        if trial.number == 4:
            raise optuna.TrialPruned
        return objective(given)

    study.optimize(run, n_trials=8, catch=ArithmeticError)
    return study


@pytest.fixture(autouse=True)
def _quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


# -- CSV ---------------------------------------------------------------------------------------------------------------


def test_a_csv_file_of_named_columns(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "lr,optimizer,momentum,width,loss,status,note\n"
        "1e-3,adamw,,64,0.5,done,first\n"
        "1e-2,sgd,0.9,128,0.2,,\n"
        "1e-1,adamw,,512,,OOM,\n"
        "1e-2,lion,,64,0.1,done,\n"
        "1e-2,adamw,,64,0.3,odd,\n",
    )
    one = read(path, card())
    assert [(t.config["lr"], t.metrics, t.status) for t in one.trials] == [
        (1e-3, {"loss": 0.5}, "done"),
        (1e-2, {"loss": 0.2}, "done"),
        (1e-1, {}, "oom"),
    ]
    assert one.name == path
    assert one.notes == (
        "columns that are not on the card were ignored: note",
        "1 left out: optimizer is not one of 'adamw', 'sgd', such as 'lion'",
        "1 left out: of the unknown status 'odd'",
    )


def test_the_table_that_optuna_writes_of_a_study(tmp_path: Path) -> None:
    text = (
        "number,value,datetime_start,duration,params_lr,params_optimizer,params_momentum,params_width,state\n"
        "0,0.5,2024-01-01,1 days,0.001,adamw,,64,COMPLETE\n"
        "1,,2024-01-01,1 days,0.01,sgd,0.9,128,FAIL\n"
        "2,0.4,2024-01-01,1 days,0.01,sgd,0.9,128,TrialState.PRUNED\n"
    )
    one = read(csv(tmp_path, text), card())
    assert [(t.config["lr"], t.status) for t in one.trials] == [(0.001, "done"), (0.01, "failed")]
    assert one.notes == ("1 left out: pruned",)


def test_the_table_that_export_writes_of_a_study(tmp_path: Path) -> None:
    metrics = [{"name": "loss", "direction": "minimize"}, {"name": "f1", "direction": "maximize"}]
    task = card(metric=None, direction=None, metrics=metrics, constraints=["ms <= 50"])
    outcome = Outcome("done", {"loss": 0.5, "f1": 0.75, "ms": 12.0})
    trials = [done(0, config(), 0.5, outcome=outcome), failed(1, config(width=128))]
    one = read(csv(tmp_path, study_to("csv", task, trials)), task)
    assert [(t.config, t.metrics, t.status) for t in one.trials] == [
        (config(), outcome.metrics, "done"),
        (config(width=128), {}, "oom"),
    ]
    assert one.notes == ()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("lr;optimizer;width;loss\n0.001;adamw;64;0.5\n0,01;adamw;64;0.4\n", r"row 3 has '0,01' as lr"),
        ("lr;optimizer;width;loss\n0.001;adamw;64;1,5e-3\n", r"row 2 has '1,5e-3' as loss"),
        ('lr,optimizer,width,loss\n0.001,adamw,"1.024,5",0.5\n', r"row 2 has '1.024,5' as width"),
        ("lr,optimizer,width,loss\n0,001,adamw,64,0,5\n", "row 2 has 6 cells, the header 4"),
    ],
)
def test_a_decimal_comma_is_refused_with_its_cell_and_the_remedy(tmp_path: Path, rows: str, said: str) -> None:
    with pytest.raises(StudyError, match=said) as e:
        read(csv(tmp_path, rows), card())
    assert "with a decimal point" in e.value.hint


def test_a_comma_in_a_choice_is_part_of_it(tmp_path: Path) -> None:
    task = card(space=Space(Choice("layers", ["64,64", "128"])))
    one = read(csv(tmp_path, "layers;loss\n64,64;0.5\n"), task)
    assert one.trials[0].config == {"layers": "64,64"}


def test_semicolons_a_byte_order_mark_and_another_name_of_the_metric(tmp_path: Path) -> None:
    path = csv(tmp_path, "\ufefflr;optimizer;width;val_loss\n0.001;adamw;64;0.5\n")
    one = read({"csv": path, "metric": "val_loss"}, card())
    assert one.trials[0].metrics == {"loss": 0.5}
    with pytest.raises(CardError, match="has no column 'loss'; its columns are lr, optimizer, width, val_loss") as e:
        read(path, card())
    assert "did you mean 'val_loss'" in e.value.hint


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_form_feed_or_a_line_separator_in_a_cell_ends_no_row(tmp_path: Path, end: str) -> None:
    rows = ["lr,optimizer,width,note,loss", "1e-3,adamw,64,a\u2028b\x0cc\x85d,0.5", f'1e-2,adamw,64,"a{end}b",0.2']
    (tmp_path / "past.csv").write_bytes((end.join(rows) + end).encode())
    one = read(str(tmp_path / "past.csv"), card())
    assert [t.metrics["loss"] for t in one.trials] == [0.5, 0.2]


def test_names_of_a_strangers_columns_move_no_cursor(tmp_path: Path) -> None:
    path = csv(tmp_path, 'lr,optimizer,width,loss,"\x1b[2J\nno\x9bte"\n1e-3,adamw,64,0.5,x\n')
    assert read(path, card()).summary().isprintable()
    with pytest.raises(CardError) as e:
        read({"csv": path, "metric": "lost"}, card())
    assert e.value.message.isprintable()
    assert e.value.hint.isprintable()


def test_parameters_of_a_strangers_study_move_no_cursor() -> None:
    study = optuna.create_study()
    for _ in range(2):
        trial = study.ask()
        trial.suggest_float("\x1b[2J", 0, 1)
        study.tell(trial, 0.5)
    with pytest.raises(StudyError) as e:
        read(study, card())
    assert e.value.message.isprintable()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        ("lr,lr,loss\n1,2,3\n", "two columns 'lr'"),
        ("lr,loss\n1e-3,0.5,7\n", "row 2 has 3 cells, the header 2"),
        ("lr,loss\n1e-3,0.5\n", "1 left out: optimizer is missing"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(StudyError, match=said):
        read(csv(tmp_path, text), card())


def test_a_file_that_is_not_there_is_named_with_its_neighbour(tmp_path: Path) -> None:
    csv(tmp_path, "lr,loss\n")
    with pytest.raises(StudyError, match=r"there is no file .*pats.csv") as e:
        read(str(tmp_path / "pats.csv"), card())
    assert "did you mean 'past.csv'" in e.value.hint


# -- Optuna ------------------------------------------------------------------------------------------------------------


def test_an_optuna_study_in_memory_gives_its_finished_trials() -> None:
    one = read(optuna_study(), card())
    assert one.name == "old"
    assert one.given == 8
    assert [t.status for t in one.trials].count("done") == 6
    assert [t.status for t in one.trials].count("failed") == 1
    assert all(t.metrics["loss"] == pytest.approx(objective(t.config)) for t in one.trials if t.done)
    assert "parameters that are not on the card were ignored: log2_width" in one.notes
    assert "1 left out: pruned" in one.notes


def test_an_optuna_study_in_a_file_is_read_and_the_file_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/old.db"
    there = read(optuna_study(url), card())
    before = (tmp_path / "old.db").read_bytes()
    (tmp_path / "old.db").chmod(0o444)
    one = read(url, card())
    assert one.trials == there.trials
    assert one.name == url
    assert (tmp_path / "old.db").read_bytes() == before
    assert os.listdir(tmp_path) == ["old.db"]
    assert read(f"old@{url}", card()).name == f"old@{url}"
    with pytest.raises(StudyError, match=r"holds old, not 'odl'") as e:
        read(f"odl@{url}", card())
    assert "did you mean 'old'" in e.value.hint


def test_another_direction_and_other_objectives_are_refused() -> None:
    with pytest.raises(StudyError, match="tries to maximize loss, the card to minimize it"):
        read(optuna_study(direction="maximize"), card())
    two = optuna.create_study(directions=["minimize", "minimize"])
    with pytest.raises(StudyError, match=r"2 objectives without names, the card 1 metrics"):
        read(two, card())
    two.set_metric_names(["val_loss", "seconds"])
    with pytest.raises(StudyError, match="measures val_loss, seconds, not loss"):
        read(two, card())


def test_a_database_that_is_not_there_or_none(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="there is no file"):
        read(f"sqlite:///{tmp_path}/none.db", card())
    (tmp_path / "text.db").write_text("no database " * 200)
    with pytest.raises(StudyError, match=r"text\.db could not be read"):
        read(f"sqlite:///{tmp_path}/text.db", card())
    with contextlib.closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("create table notes (line text)")
    with pytest.raises(StudyError, match=r"other\.db holds no study") as e:
        read(f"sqlite:///{tmp_path}/other.db", card())
    assert "again" not in e.value.hint
    with pytest.raises(StudyError, match=r"other\.db is a database, not a CSV file") as e:
        read(f"{tmp_path}/other.db", card())
    assert e.value.hint == f"write sqlite:///{tmp_path}/other.db"


# -- our own studies ---------------------------------------------------------------------------------------------------


def test_one_of_our_own_studies_by_its_address_and_as_an_object(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/own.db"
    with Tuner(card(), None, url, folder=tmp_path) as tuner:
        tuner.run(objective, trials=4)
        trial = tuner.ask()
        tuner.tell(trial, status="oom")
        tuner.ask()
        one = read(tuner.study, card())
    assert [t.config for t in one.trials if t.done] == [t.config for t in tuner.result().trials[:4]]
    assert [t.status for t in one.trials] == ["done"] * 4 + ["oom"]
    assert one.notes == ("1 left out: running",)
    assert read(url, card()).trials == one.trials
    with pytest.raises(StudyError, match="measures loss, not accuracy"):
        read(Study.load(url), card(metric="accuracy", direction="maximize"))


# -- several -----------------------------------------------------------------------------------------------------------


def test_of_a_study_of_ours_the_latest_attempts_are_read_and_rows_of_others_are_not(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'own.db'}"
    with Tuner(card(), None, url, folder=tmp_path) as tuner:
        tuner.tell(tuner.ask(), 0.5)
        tuner.tell(tuner.ask(), status="oom")
        tuner.study.requeue(tuner.study.trials()[1])
        optuna.load_study(study_name="toy", storage=url).ask()
        tuner.tell(tuner.ask(), 0.4)
    found = read(url, card())
    assert ([t.metrics for t in found.trials], found.given, found.notes) == ([{"loss": 0.5}, {"loss": 0.4}], 2, ())
    wider = card(space=Space(*card().space, Float("dropout", 0.0, 0.5)))
    found = read({"storage": url, "assume": {"dropout": 0.1}}, wider)
    assert [t.config["dropout"] for t in found.trials] == [0.1, 0.1]


def test_the_metric_that_is_named_is_read_also_where_a_study_of_ours_measured_another_of_the_cards_name(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    with Tuner(card(name="old", metric="val_loss", constraints=["loss <= 9"]), None, url, folder=tmp_path) as tuner:
        for value, other in [(1.0, 4.0), (2.0, 3.0)]:
            tuner.tell(tuner.ask(), {"val_loss": value, "loss": other})
    found = read({"storage": url, "metric": "val_loss"}, card())
    assert [t.metrics["loss"] for t in found.trials] == [1.0, 2.0]
    bounded = card(constraints=["val_loss <= 1.5"])
    found = read({"storage": url, "metric": "val_loss"}, bounded)
    assert [bounded.feasible(t.metrics) for t in found.trials] == [True, False]


def test_known_sources_are_not_read_again_and_doubles_are_refused(tmp_path: Path) -> None:
    path = csv(tmp_path, "lr,optimizer,width,loss\n0.001,adamw,64,0.5\n")
    made = fitting("made", card(), [Row(config(), {"loss": 1.0}, "done")])
    assert [one.name for one in read_all([path, made], card())] == [path, "made"]
    assert read_all([str(tmp_path / "gone.csv"), made], card(), known=[str(tmp_path / "gone.csv"), "made"]) == []
    with pytest.raises(CardError, match="given twice"):
        read_all([path, Path(path)], card())


@pytest.mark.parametrize("source", [3, object()])
def test_what_is_no_source_is_refused(source: Any) -> None:
    with pytest.raises(CardError, match="is no source of earlier trials"):
        read(source, card())


def test_a_set_is_given_back_as_it_is() -> None:
    made = Earlier("made", (), 0)
    assert read(made, card()) is made
