import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunewright_tools.scaling import (
    Advice,
    completep_transfer,
    linear_batch_scaling,
    mup_width_transfer,
    square_root_batch_scaling,
    step_law,
)

BASE: dict[str, Any] = {"learning_rate": 3e-3, "hidden_init_std": 0.02}
DEEP: dict[str, Any] = {**BASE, "weight_decay": 0.1, "adam_eps": 1e-8}


def named(advice: Advice) -> dict[str, float]:
    return {v.name: v.value for v in advice.values}


# -- Step Law ----------------------------------------------------------------------------------------------------------


def test_step_law_at_its_largest_fitted_run() -> None:
    """1B parameters, 100B tokens, worked by decimal logarithms: log10 of 1.79 is 0.25285, of 0.58 -0.23657."""
    advice = step_law(1e9, 1e11, sequence_tokens=2048)
    assert math.log10(advice["peak_learning_rate"]) == pytest.approx(0.25285 - 9 * 0.713 + 11 * 0.307, abs=1e-4)
    assert math.log10(advice["batch_tokens"]) == pytest.approx(-0.23657 + 11 * 0.571, abs=1e-4)
    assert advice["peak_learning_rate"] == pytest.approx(1.64e-3, rel=0.01)
    assert advice["batch_tokens"] == pytest.approx(1.108e6, rel=0.01)
    assert advice["batch_sequences"] == pytest.approx(advice["batch_tokens"] / 2048)
    assert advice["steps"] * advice["batch_tokens"] == pytest.approx(1e11)
    assert advice.warnings == ()
    assert {v.name: v.unit for v in advice.values}["batch_tokens"] == "tokens"


def test_step_law_batch_knows_only_tokens_and_the_learning_rate_falls_with_size() -> None:
    small, large = step_law(1e8, 1e10), step_law(8e8, 1e10)
    assert small["batch_tokens"] == large["batch_tokens"]
    assert small["peak_learning_rate"] / large["peak_learning_rate"] == pytest.approx(8**0.713)
    longer = step_law(1e8, 4e10)
    assert longer["peak_learning_rate"] / small["peak_learning_rate"] == pytest.approx(4**0.307)


@pytest.mark.parametrize(
    ("n", "d", "seen"),
    [(7e9, 5e10, "non_embedding_parameters is 7e+09"), (5e8, 2e12, "training_tokens is 2e+12"), (1e7, 1e10, "1e+07")],
)
def test_step_law_warns_outside_of_what_was_fitted(n: float, d: float, seen: str) -> None:
    advice = step_law(n, d)
    assert advice["peak_learning_rate"] > 0
    assert len([w for w in advice.warnings if seen in w]) == 1


# -- muP ---------------------------------------------------------------------------------------------------------------


def test_mup_changes_nothing_at_the_base() -> None:
    advice = mup_width_transfer(256, 256, **BASE, adam_eps=1e-8, head_width=64, base_head_width=64)
    for name in ("hidden_learning_rate", "embedding_learning_rate", "vector_learning_rate", "output_learning_rate"):
        assert advice[name] == 3e-3
    assert (advice["hidden_init_std"], advice["output_multiplier"], advice["adam_eps"]) == (0.02, 1.0, 1e-8)
    assert advice["attention_logit_scale"] == 1 / math.sqrt(64)
    assert advice.warnings == ()


def test_mup_scales_hidden_matrices_and_the_output_with_width() -> None:
    advice = mup_width_transfer(4096, 256, **BASE, adam_eps=1.6e-7)
    assert advice["hidden_learning_rate"] == pytest.approx(3e-3 / 16)
    assert advice["hidden_init_std"] ** 2 == pytest.approx(0.02**2 / 16)
    assert advice["output_multiplier"] == 1 / 16
    assert advice["adam_eps"] == pytest.approx(1e-8)
    assert advice["embedding_learning_rate"] == advice["output_learning_rate"] == 3e-3


def test_mup_attention_is_eight_over_head_width_for_a_base_of_64() -> None:
    """The example in the README of `mup`: query @ key * 8 / d."""
    advice = mup_width_transfer(1024, 256, **BASE, head_width=128, base_head_width=64)
    assert advice["attention_logit_scale"] == 8 / 128
    for one in ("head_width", "base_head_width"):
        with pytest.raises(ValueError, match="together"):
            mup_width_transfer(1024, 256, **BASE, **{one: 128})


def test_mup_is_transitive() -> None:
    there = mup_width_transfer(1024, 256, **BASE)
    on = mup_width_transfer(
        2048, 1024, learning_rate=there["hidden_learning_rate"], hidden_init_std=there["hidden_init_std"]
    )
    straight = mup_width_transfer(2048, 256, **BASE)
    assert on["hidden_learning_rate"] == pytest.approx(straight["hidden_learning_rate"])
    assert on["hidden_init_std"] == pytest.approx(straight["hidden_init_std"])


@pytest.mark.parametrize(
    ("width", "base", "says"), [(512, 64, "base_width is 64"), (16384, 256, "8192"), (256, 512, "small to large")]
)
def test_mup_warns_outside_of_what_was_tried(width: int, base: int, says: str) -> None:
    assert any(says in w for w in mup_width_transfer(width, base, **BASE).warnings)


# -- CompleteP ---------------------------------------------------------------------------------------------------------


def test_completep_changes_nothing_at_the_base() -> None:
    found = named(completep_transfer(256, 256, 2, 2, **DEEP))
    assert found["residual_multiplier"] == found["output_multiplier"] == 1
    assert found["hidden_learning_rate"] == found["block_vector_learning_rate"] == 3e-3
    assert found["hidden_weight_decay"] == found["embedding_weight_decay"] == 0.1
    assert found["block_adam_eps"] == found["embedding_adam_eps"] == 1e-8


def test_completep_against_the_table_by_hand() -> None:
    """Width times 4, depth times 16, as Table 1 has it with alpha 1."""
    found = named(completep_transfer(1024, 256, 32, 2, **DEEP))
    assert found == pytest.approx(
        {
            "width_multiplier": 4,
            "depth_multiplier": 16,
            "residual_multiplier": 1 / 16,
            "hidden_learning_rate": 7.5e-4,
            "block_vector_learning_rate": 3e-3,
            "embedding_learning_rate": 3e-3,
            "output_learning_rate": 3e-3,
            "hidden_init_std": 0.01,
            "output_multiplier": 0.25,
            "hidden_weight_decay": 0.4,
            "embedding_weight_decay": 0.1,
            "block_adam_eps": 1e-8 / 64,
            "embedding_adam_eps": 2.5e-9,
        }
    )


@given(alpha=st.floats(0.5, 1), depth=st.integers(2, 128))
def test_residual_multiplier_times_learning_rate_falls_as_one_over_depth(alpha: float, depth: int) -> None:
    found = named(completep_transfer(256, 256, depth, 2, **DEEP, alpha=alpha))
    product = found["residual_multiplier"] * found["hidden_learning_rate"] / 3e-3
    assert product == pytest.approx(2 / depth)


def test_completep_keeps_learning_rate_times_weight_decay_over_width() -> None:
    for width in (256, 512, 4096):
        found = named(completep_transfer(width, 256, 8, 2, **DEEP))
        assert found["hidden_learning_rate"] * found["hidden_weight_decay"] == pytest.approx(3e-3 * 0.1)


def test_completep_at_the_base_depth_is_mup() -> None:
    deep = named(completep_transfer(1024, 256, 2, 2, **DEEP))
    wide = named(mup_width_transfer(1024, 256, **BASE, adam_eps=1e-8))
    for name in ("hidden_learning_rate", "hidden_init_std", "output_multiplier", "embedding_learning_rate"):
        assert deep[name] == wide[name]
    assert deep["block_adam_eps"] == wide["adam_eps"]


def test_completep_with_alpha_one_half_is_named_otherwise_and_odd_alphas_warn() -> None:
    half = completep_transfer(256, 256, 8, 2, **DEEP, alpha=0.5)
    assert half.rule != "CompleteP"
    assert half["hidden_learning_rate"] == half["block_vector_learning_rate"] == pytest.approx(3e-3 / 2)
    assert half.warnings == ()
    assert completep_transfer(256, 256, 8, 2, **DEEP).rule == "CompleteP"
    for odd in (0.2, 1.5):
        assert any("alpha" in w for w in completep_transfer(256, 256, 8, 2, **DEEP, alpha=odd).warnings)
    assert "the paper's base has 2 blocks" in completep_transfer(256, 256, 8, 1, **DEEP).warnings[0]


# -- batches -----------------------------------------------------------------------------------------------------------


def test_linear_scaling_gives_the_papers_imagenet_numbers() -> None:
    """0.1 for 256 images is 3.2 for 8192 (0.1 * 32 in the paper's table)."""
    advice = linear_batch_scaling(8192, 256, 0.1)
    assert advice["learning_rate"] == pytest.approx(3.2)
    assert (advice["warmup_epochs"], advice["warmup_start_learning_rate"]) == (5, 0.1)
    assert advice["steps_multiplier"] == 1 / 32
    assert advice.warnings == ()
    assert "8192" in linear_batch_scaling(16384, 256, 0.1).warnings[0]


def test_a_smaller_batch_does_not_warm_up_from_above() -> None:
    advice = linear_batch_scaling(64, 256, 0.1)
    assert advice["warmup_start_learning_rate"] == advice["learning_rate"] == pytest.approx(0.025)


def test_square_root_scaling_changes_all_of_adam() -> None:
    advice = square_root_batch_scaling(1024, 256, 1e-3, beta1=0.9, beta2=0.999, adam_eps=1e-8)
    assert advice["learning_rate"] == pytest.approx(2e-3)
    assert (advice["batch_multiplier"], advice["steps_multiplier"]) == (4, 1 / 4)
    assert advice["beta1"] == pytest.approx(0.6)
    assert advice["beta2"] == pytest.approx(0.996)
    assert advice["adam_eps"] == pytest.approx(5e-9)
    assert advice.warnings == ()


@given(k=st.integers(1, 9))
def test_square_root_scaling_there_and_back(k: int) -> None:
    there = square_root_batch_scaling(32 * k, 32, 1e-3, beta1=0.9, beta2=0.99, adam_eps=1e-8)
    back = square_root_batch_scaling(
        32, 32 * k, there["learning_rate"], there["beta1"], there["beta2"], there["adam_eps"]
    )
    found = named(back)
    assert [found[n] for n in ("learning_rate", "beta1", "beta2", "adam_eps")] == pytest.approx([1e-3, 0.9, 0.99, 1e-8])


def test_a_beta_that_cannot_be_is_left_out_with_a_warning() -> None:
    advice = square_root_batch_scaling(4096, 256, 1e-3, beta1=0.9, beta2=0.999)
    assert len(advice.warnings) == 1
    assert "up to 2560 examples" in advice.warnings[0]
    assert advice["beta2"] == pytest.approx(0.984)
    with pytest.raises(KeyError, match="beta1"):
        advice["beta1"]


# -- all rules ---------------------------------------------------------------------------------------------------------


def test_each_rule_names_its_paper_and_where_it_holds_and_is_frozen() -> None:
    for advice in (
        step_law(5e8, 1e10),
        mup_width_transfer(512, 256, **BASE),
        completep_transfer(512, 256, 4, 2, **DEEP),
        linear_batch_scaling(512, 256, 0.1),
        square_root_batch_scaling(512, 256, 1e-3),
    ):
        assert "arXiv" in advice.source
        assert len(advice.validity) > 40
        assert dataclasses.asdict(advice)["rule"] == advice.rule
        with pytest.raises(dataclasses.FrozenInstanceError):
            advice.rule = "mine"  # type: ignore[misc]


@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf, True, "256"])
def test_impossible_numbers_are_named(bad: float) -> None:
    with pytest.raises(ValueError, match=r"training_tokens is .*above 0"):
        step_law(1e9, bad)
    with pytest.raises(ValueError, match="base_width"):
        mup_width_transfer(256, bad, **BASE)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="depth_layers"):
        completep_transfer(256, 256, bad, 2, **DEEP)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="batch_examples"):
        linear_batch_scaling(bad, 256, 0.1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="learning_rate"):
        square_root_batch_scaling(512, 256, bad)


def test_weight_decay_may_be_nothing_but_not_negative_and_betas_lie_below_one() -> None:
    assert completep_transfer(512, 256, 4, 2, **{**DEEP, "weight_decay": 0.0})["hidden_weight_decay"] == 0
    with pytest.raises(ValueError, match="weight_decay"):
        completep_transfer(512, 256, 4, 2, **{**DEEP, "weight_decay": -0.1})
    with pytest.raises(ValueError, match="beta2"):
        square_root_batch_scaling(512, 256, 1e-3, beta2=1.0)
