import importlib
import inspect
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunewright.card import TaskCard
from tunewright.errors import SpaceError, TunerError
from tunewright.prior import candidates
from tunewright.space import Choice, Float, Int, Parameter, Space
from tunewright.textbook import entry_for, points, prior, view
from tunewright.textbook_entries import Number, OneOf, book, read


def card(*parameters: Parameter, goal: str = "a study", **keys: Any) -> TaskCard:
    return TaskCard(goal=goal, metric="loss", direction="minimize", space=Space(*parameters), start="none", **keys)


def family(parameter: Parameter, goal: str = "") -> str | None:
    entry = entry_for(parameter, goal)
    return None if entry is None else entry.family


# -- the book ----------------------------------------------------------------------------------------------------------


def test_the_book_holds_many_hyperparameters_and_each_names_its_source() -> None:
    entries = book().entries
    assert len({e.name.lower() for e in entries}) >= 60
    for e in entries:
        assert re.search(r"\d|documentation|guide", e.source), f"{e.name} ({e.family}): {e.source}"
    assert {e.family for e in entries} == set(book().families)


def test_stated_library_defaults_are_those_of_the_installed_libraries() -> None:
    checked = 0
    for e in book().entries:
        if e.library is None:
            continue
        path, wanted = e.library.split("=", 1)
        module, cls, argument = path.rsplit(".", 2)
        default = inspect.signature(getattr(importlib.import_module(module), cls)).parameters[argument].default
        assert repr(default) == wanted or default == _number(wanted), f"{e.library}, but installed: {default!r}"
        checked += 1
    assert checked >= 40


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def test_no_two_entries_of_one_name_family_and_domain() -> None:
    seen: set[tuple[str, str, str]] = set()
    for e in book().entries:
        key = (e.name.lower(), e.family, str(e.domain) if isinstance(e, Number) else e.kind)
        assert key not in seen
        seen.add(key)


ENTRY = (
    "{name: a, family: f, kind: float, scale: log, low: 1, guess: 2, high: 3, domain: [0, 9], note: '', "
    "source: some book of 1999, verified: recalled}"
)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("guess: 2", "guess: 7", "must rise"),
        ("low: 1", "low: 0", "log scale"),
        ("scale: log", "scale: lgo", "entries.0"),
        ("source: some book of 1999, ", "", "source"),
        ("family: f", "family: g", "family 'g'"),
        ("kind: float", "kind: int, colour: red", "colour"),
        ("kind: float, scale: log, low: 1", "kind: int, scale: log, low: 1.5", "whole numbers"),
        ("verified: recalled", "verified: installed", "needs library"),
        ("{name: a", "{name: [", "not YAML"),
    ],
)
def test_a_mistake_in_the_book_is_named(old: str, new: str, says: str) -> None:
    families = "families: {f: {title: t, weight: 1, words: [w]}}\nentries:\n  - "
    assert read(families + ENTRY).entries[0].name == "a"
    assert old in ENTRY
    with pytest.raises(TunerError, match=says):
        read(families + ENTRY.replace(old, new))


# -- which entry is meant ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameter", "goal", "expected"),
    [
        (Float("gamma", 1e-4, 10, log=True), "SVM with RBF kernel on digits", "svm"),
        (Float("gamma", 0.9, 0.9999, logit=True), "PPO on CartPole", "rl"),
        (Float("gamma", 0, 5), "XGBoost on a table", "boosting"),
        (Float("gamma", 0, 5), "detector trained with focal loss", "focal"),
        (Float("gamma", 0.9, 0.9999, logit=True), "", "rl"),  # by its range alone
        (Float("gamma", 1e-4, 2, log=True), "", "svm"),
        (Float("learning_rate", 0.01, 0.3, log=True), "LightGBM, 500 trees", "boosting"),
        (Float("learning_rate", 1e-5, 1e-1, log=True), "ResNet-18 on CIFAR-10", "neural"),
        (Float("lr", 1e-5, 1e-1, log=True, about="peak learning rate of AdamW"), "ResNet-18 on CIFAR-10", "adam"),
        (Float("lr", 1e-4, 1, log=True), "ResNet-18 with SGD", "sgd"),
        (Float("lr", 1e-6, 1e-3, log=True), "LoRA fine-tuning of a 7B model with AdamW", "lora"),
        (Float("lr", 1e-6, 1e-3, log=True), "fine-tuning BERT on GLUE", "finetune"),
        (Float("lr", 1e-5, 1e-1, log=True), "PPO with Adam on MuJoCo", "rl"),
        (Float("lr", 1e-5, 1e-1, log=True, when={"optimizer": "sgd"}), "a small network", "sgd"),
        (Float("lr", 1e-5, 1e-1, log=True), "GPT-2 pretraining on web text", "pretraining"),
        (Float("max_features", 0.01, 0.99), "decision tree", "tree"),
        (Float("max_features", 0.01, 0.99), "random forest", "forest"),
        (Float("muon_lr", 1e-4, 1e-1, log=True), "a small GPT", "muon"),
        (Float("xgb_eta", 0.01, 0.5), "compare models", "boosting"),
        (Int("clf__max_depth", 1, 40), "random forest", "forest"),
        (Int("max_depth", 2, 12), "gradient boosting", "boosting"),
        (Float("alpha", 1e-6, 1, log=True), "MLPClassifier on digits", "mlp"),
        (Float("alpha", 1e-4, 100, log=True), "ridge regression", "linear"),
        (Float("C", 1e-3, 1e3, log=True), "support vector machine", "svm"),
        (Float("C", 1e-3, 1e3, log=True), "logistic regression", "linear"),
        (Choice("learning_rate", ["constant", "invscaling", "adaptive"]), "", "mlp"),
        (Choice("gamma", ["auto", "scale"]), "", "svm"),
        (Int("depth", 2, 40), "random forest", "forest"),
        (Int("depth", 1, 20), "decision tree", "tree"),
        (Int("depth", 1, 20), "a small transformer", "neural"),
        (Float("momentum", 0.01, 0.99, about="of SGD"), "ResNet with batch normalisation", "sgd"),
        (Int("max_depth", 1, 30), "XGBClassifier on a table", "boosting"),
        (Int("max_depth", 1, 30), "compare LGBMRegressors", "boosting"),
        (Float("learning_rate", 0.01, 1, log=True), "GradientBoostingClassifier", "boosting"),
        (Float("learning_rate", 0.01, 1, log=True), "AdaBoostClassifier", "adaboost"),
        (Int("max_depth", 1, 50), "sklearn.ensemble.RandomForestRegressor", "forest"),
        (Float("C", 1e-3, 1e3, log=True), "LogisticRegression", "linear"),
        (Float("alpha", 1e-7, 1, log=True), "SGDClassifier, a linear model on text", "sgdlinear"),
        (Float("alpha", 0, 1), "elastic net by glmnet", "glmnet"),
        (Float("lambda", 1e-5, 10, log=True), "elastic net by glmnet", "linear"),
        (Float("ccp_alpha", 1e-5, 0.1, log=True), "extra trees", "forest"),
        (Float("ccp_alpha", 1e-5, 0.1, log=True), "decision tree", "tree"),
        (Int("n_estimators", 50, 500), "isolation forest", "isolation"),
        (Int("n_trees", 100, 5000), "gbm in R", "boosting"),
        (Float("max_features", 0.1, 1), "isolation forest", "isolation"),
        (Float("ent_coef", 1e-4, 1, log=True), "SAC on Hopper", "sac"),
        (Float("alpha", 1e-4, 1, log=True), "soft actor-critic", "sac"),
        (Int("estimator__max_depth", 1, 10), "AdaBoost", "adaboost"),
        (Float("lr", 1e-6, 1e-2, log=True), "ViT trained with Lion", "lion"),
        (Float("beta2", 0.9, 0.9999), "ViT trained with Lion", "lion"),
        (Float("lr", 1e-6, 1e-2, log=True), "DCGAN on faces with Adam", "gan"),
        (Float("beta1", 0, 0.99), "DCGAN on faces with Adam", "gan"),
    ],
)
def test_the_entry_is_chosen_by_words_and_range(parameter: Parameter, goal: str, expected: str) -> None:
    assert family(parameter, goal) == expected


@pytest.mark.parametrize(
    ("parameter", "goal"),
    [
        (Float("wobble", 0, 1), "XGBoost"),
        (Float("C", 1e-2, 1e3, log=True), ""),  # SVM or linear model: cannot tell
        (Float("learning_rate", 0.01, 0.3, log=True), ""),  # boosting or SGD
        (Float("gamma", 0, 5), ""),  # boosting or focal loss
        (Float("lr", 1e-8, 1e-6, log=True), "AdamW"),  # no overlap with anything usual
        (Float("min_impurity_decrease", -1, 0.5), "random forest"),  # outside of what it can be
        (Float("dropout", 0.1, 3), "transformer"),
        (Choice("optimizer", ["adamw", "hill_climbing", "genetic", "tabu"]), ""),  # one known choice is no match
        (Choice("lr", ["small", "large"]), "AdamW"),
        (Float("momentum", 0.01, 0.99, about="of batch normalisation"), "ResNet with SGD"),
        (Float("eps", 1e-8, 1e-4, log=True, about="of the layer norms"), "GPT with AdamW"),
        (Float("gamma", 0.5, 0.999, about="factor of the learning rate decay"), "PPO on CartPole"),
        (Float("l1", 1e-6, 0.1, log=True), "sparse autoencoder"),
        (Float("temperature", 0.01, 5, log=True), "distillation"),
        (Float("max_samples", 0.1, 1), "isolation forest"),  # a share of unknown rows; what is known is a count
        (Float("learning_rate", 0.3, 0.9), "lightgbm"),  # touches the interval at its end
        (Float("alpha", 0, 1), "Holt-Winters forecast of sales"),
        (Float("alpha", 1e-3, 1, log=True, about="temperature of the entropy"), "DQN with a soft policy"),
        (Float("alpha", 1e-10, 1e-1, log=True), "Gaussian process regression"),
        (Int("rank", 4, 256), "matrix factorisation of ratings"),
        (Int("k", 2, 30), "k-means clusters of customers"),
        (Int("p", 1, 5), "ARIMA forecast"),
        (Int("horizon", 7, 365), "forecast of sales"),
        (Int("num_steps", 10, 1000), "diffusion model on CIFAR-10"),
        (Int("max_leaf_nodes", 10, 2000, log=True), "random forest"),
        (Float("eps", 0, 0.1, about="radius of the perturbation"), "robust classifier"),
        (Float("clf__tau", 0.01, 1, log=True), "contrastive learning"),
    ],
)
def test_unknown_ambiguous_and_foreign_ranges_have_no_entry(parameter: Parameter, goal: str) -> None:
    assert entry_for(parameter, goal) is None
    assert view(parameter, goal) is None


def test_a_leaf_size_is_a_share_or_a_count_by_its_range() -> None:
    share = entry_for(Float("min_samples_leaf", 1e-3, 0.5), "random forest")
    count = entry_for(Int("min_samples_leaf", 1, 20), "random forest")
    assert isinstance(share, Number)
    assert isinstance(count, Number)
    assert (share.kind, count.kind) == ("float", "int")
    assert share.high < 0.5
    assert count.guess == 1


def test_names_are_compared_without_case_and_underscores() -> None:
    for name in ("beta2", "beta_2", "Beta_2", "adam_beta2"):
        entry = entry_for(Float(name, 0.9, 0.9999, logit=True), "AdamW")
        assert entry is not None
        assert entry.name == "beta2"


def test_a_name_is_not_taken_for_another_that_means_something_else() -> None:
    def guess(parameter: Parameter, goal: str) -> Any:
        found = view(parameter, goal)
        return None if found is None else found.guess

    # the share of the target network that is kept; tau is the share that is replaced
    assert guess(Float("polyak", 0, 1), "DDPG on Pendulum") == 0.995
    assert guess(Float("tau", 0, 1), "DDPG on Pendulum") == 0.005
    # the rising part of a one-cycle schedule is no warmup of a few percent
    assert guess(Float("pct_start", 0.05, 0.5), "ResNet-18 on CIFAR-10") == 0.3
    assert guess(Float("warmup_fraction", 0.01, 0.5), "ResNet-18 on CIFAR-10") == 0.05
    # of the learning rate in Keras, of an average elsewhere
    assert guess(Float("decay", 1e-6, 1e-2, log=True), "Keras network trained by SGD") is None
    # DQN explores with it
    assert guess(Float("epsilon", 0.01, 1), "DQN on Atari Breakout") is None
    # LightGBM's default is a thousandth of XGBoost's
    assert guess(Float("min_sum_hessian_in_leaf", 1e-5, 100, log=True), "LightGBM on clicks") == 1e-3
    assert guess(Float("min_child_weight", 1e-5, 100, log=True), "XGBoost on clicks") == 1


def test_a_condition_tells_two_branches_apart() -> None:
    c = card(
        Choice("optimizer", ["adamw", "sgd"], default="adamw"),
        Float("lr_a", 1e-5, 1e-1, log=True, about="of AdamW", when={"optimizer": "adamw"}),
        Float("momentum", 0.5, 0.999, logit=True, when={"optimizer": "sgd"}),
        goal="convnet on CIFAR-10",
    )
    assert set(prior(c)) == {"momentum"}  # lr_a is no name that the textbook has
    assert prior(c)["momentum"] == {"guess": 0.9, "low": 0.8, "high": 0.99}


# -- what would be tried -----------------------------------------------------------------------------------------------


def test_the_interval_is_cut_to_the_parameters_bounds() -> None:
    narrow = view(Float("learning_rate", 0.05, 0.08), "XGBoost")
    assert narrow is not None
    assert (narrow.low, narrow.guess, narrow.high) == (0.05, 0.08, 0.08)  # the textbook's 0.1 is out of bounds


def test_powers_of_two_steps_and_listed_numbers_keep_to_their_grid() -> None:
    goal = "a transformer"
    powers = view(Int("batch_size", 16, 4096, log=True, rounding="power_of_two"), goal)
    assert powers is not None
    assert (powers.low, powers.guess, powers.high) == (32, 128, 512)
    stepped = view(Int("width", 100, 1000, step=100), goal)
    assert stepped is not None
    assert (stepped.low, stepped.guess, stepped.high) == (200, 300, 1000)
    listed = view(Choice("batch_size", [8, 32, 64, 256, 2048]), goal)
    assert listed is not None
    assert listed.guess in (64, 256)  # 128 lies midway on a log scale
    assert set(listed.allowed) == {32, 64, 256}


def test_choices_come_best_bet_first() -> None:
    found = view(Choice("optimizer", ["SGD", "RMSprop", "AdamW", "lion9"]), "a network")
    assert found is not None
    assert found.allowed == ("AdamW", "SGD", "RMSprop")
    assert isinstance(found.entry, OneOf)
    flag = view(Choice("bootstrap", [False, True]), "random forest")
    assert flag is not None
    assert flag.guess is True


def test_the_prior_holds_recognised_numbers_and_can_be_drawn_from() -> None:
    import numpy as np

    c = card(
        Float("C", 1e-4, 1e4, log=True),
        Float("gamma", 1e-6, 10, log=True),
        Choice("kernel", ["rbf", "linear"]),
        Float("wobble", 0, 1),
        goal="SVM on digits",
    )
    found = prior(c)
    assert set(found) == {"C", "gamma"}
    assert found["C"] == {"guess": 10.0, "low": 0.1, "high": 1000.0}
    assert len(candidates(c.space, found, 50, np.random.default_rng(0))) == 50


def test_names_beside_a_parameter_help_to_recognise_it() -> None:
    alone = card(Float("learning_rate", 0.01, 0.3, log=True))
    beside = card(Float("learning_rate", 0.01, 0.3, log=True), Int("num_leaves", 7, 255, log=True))
    assert "learning_rate" not in prior(alone)
    assert prior(beside)["learning_rate"]["guess"] == 0.1


def test_what_is_trained_helps_to_recognise_it() -> None:
    parameter = Float("gamma", 0, 5)
    assert "gamma" not in prior(card(parameter, goal="churn of customers"))
    assert prior(card(parameter, goal="churn of customers", model="XGBoost"))["gamma"]["guess"] == 0


# -- points ------------------------------------------------------------------------------------------------------------


def forest() -> TaskCard:
    return card(
        Int("max_depth", 1, 50, log=True),
        Float("max_features", 0.01, 0.99),
        Int("min_samples_leaf", 1, 100, log=True),
        Choice("criterion", ["entropy", "gini"]),
        Float("wobble", 0, 10, default=3),
        goal="random forest on a table",
    )


def test_the_first_point_is_the_textbooks_guess_and_starts_elsewhere() -> None:
    first = points(forest(), 1, seed=0)
    assert first == [{"max_depth": 20, "max_features": 0.33, "min_samples_leaf": 1, "criterion": "gini", "wobble": 3.0}]
    assert points(forest(), 6, seed=5)[0] == first[0]


def test_the_other_points_are_distinct_spread_and_inside_the_usual_intervals() -> None:
    c = forest()
    found = points(c, 8, seed=1)
    assert len({c.space.key(p) for p in found}) == 8
    for p in found:
        assert not c.space.check(p).faults
        assert 8 <= p["max_depth"] <= 50
        assert 0.1 <= p["max_features"] <= 0.7
        assert 1 <= p["min_samples_leaf"] <= 10
    assert {p["criterion"] for p in found} == {"gini", "entropy"}
    assert max(p["max_features"] for p in found) - min(p["max_features"] for p in found) > 0.3
    assert max(p["wobble"] for p in found) - min(p["wobble"] for p in found) > 4  # unknown: its whole range


def test_points_repeat_with_the_seed_and_differ_without() -> None:
    assert points(forest(), 5, seed=3) == points(forest(), 5, seed=3)
    assert points(forest(), 5, seed=3) != points(forest(), 5, seed=4)


def test_maximin_picks_farther_apart_than_the_plain_sequence() -> None:
    import numpy as np

    c = card(Float("learning_rate", 0.02, 0.3, log=True), Float("subsample", 0.5, 1.0), goal="XGBoost")

    def closest(configs: list[dict[str, Any]]) -> float:
        units = c.space.to_unit(configs)
        gaps = np.linalg.norm(units[:, None] - units[None], axis=2)
        return float(gaps[np.triu_indices(len(configs), 1)].min())

    picked = [closest(points(c, 6, seed)) for seed in range(10)]
    plain = [closest(c.space.sample(6, seed)) for seed in range(10)]
    assert np.mean(picked) > 1.4 * np.mean(plain)
    assert min(picked) > 0.3


def test_relations_hold_also_where_the_guess_breaks_them() -> None:
    c = card(
        Int("width", 100, 600),
        Int("heads", 1, 16),
        goal="a transformer",
        relations=["width % heads == 0", "width >= 300"],  # the guess is 256
    )
    found = points(c, 5, seed=0)
    assert len(found) == 5
    assert all(c.space.fulfils(p) for p in found)
    assert abs(found[0]["width"] - 256) <= 150


def test_inactive_parameters_stay_away() -> None:
    c = card(
        Choice("kernel", ["linear", "rbf"]),
        Float("C", 1e-2, 1e3, log=True),
        Float("gamma", 1e-4, 1, log=True, when={"kernel": "rbf"}),
        goal="SVM",
    )
    found = points(c, 6, seed=0)
    assert found[0] == {"kernel": "rbf", "C": 10.0, "gamma": 0.02}
    assert any(p["kernel"] == "linear" for p in found)
    assert all(("gamma" in p) == (p["kernel"] == "rbf") for p in found)


def test_a_small_space_gives_all_it_has_beyond_the_usual_too() -> None:
    c = card(Int("n_neighbors", 1, 4), goal="k nearest neighbours")
    assert sorted(p["n_neighbors"] for p in points(c, 9, seed=0)) == [1, 2, 3, 4]
    assert points(c, 9, seed=0)[0] == {"n_neighbors": 4}  # nearest to the textbook's 7


def test_impossible_requests_say_so() -> None:
    with pytest.raises(TunerError, match="0 points"):
        points(forest(), 0, seed=0)
    impossible = card(Float("C", 0.1, 1), goal="SVM", relations=["C > 2"])
    with pytest.raises(SpaceError, match="C > 2"):
        points(impossible, 2, seed=0)


@settings(max_examples=25, deadline=None)
@given(
    low=st.floats(1e-6, 1e-2),
    decades=st.floats(0.5, 5),
    n=st.integers(1, 8),
    seed=st.integers(0, 1000),
    goal=st.sampled_from(["XGBoost", "SVM", "AdamW transformer", "PPO", "nothing known"]),
)
def test_any_range_gives_valid_distinct_points(low: float, decades: float, n: int, seed: int, goal: str) -> None:
    c = card(
        Float("learning_rate", low, low * 10**decades, log=True),
        Int("max_depth", 1, 30),
        Choice("batch_size", [16, 64, 256]),
        goal=goal,
    )
    found = points(c, n, seed)
    assert len({c.space.key(p) for p in found}) == len(found) == n
    assert all(not c.space.check(p).faults for p in found)
    for name, advice in prior(c).items():
        p = c.space[name]
        assert p.low <= advice["low"] <= advice["guess"] <= advice["high"] <= p.high  # type: ignore[attr-defined]
