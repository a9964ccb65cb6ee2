"""Scaling rules that people import and models call: what a change of size, batch or data does to other hyperparameters.

Each rule is a function of plain numbers with their units in the names. It returns an `Advice` with the values, where
the rule is from and how far it was tried; outside of that the advice says so and is still given. Numbers that cannot
be, such as a negative width, raise ValueError.

What the constants were compared with is stated in each docstring, since not all could be read in the papers themselves.
"""

import math
from dataclasses import dataclass

STEP_LAW_PARAMETERS = (60e6, 1.1e9)
"""Non-embedding parameters of the dense models that Step Law was fitted to."""
STEP_LAW_TOKENS = (2e9, 100e9)
"""Training tokens that Step Law was fitted to."""
STEP_LAW_BATCH_TOKENS = (32_768, 4_194_304)
"""Batch sizes in the grids of Step Law, tokens."""

_TRANSFER_WIDTH = 256  # the base width of the muP and CompleteP papers; below, transfer was seen to drift
_WIDEST = 8192
_LINEAR_LARGEST_BATCH = 8192


@dataclass(frozen=True)
class Value:
    """One number that a rule gives."""

    name: str
    value: float
    unit: str = ""
    """For example "tokens"; empty for pure numbers such as a learning rate."""


@dataclass(frozen=True)
class Advice:
    """What a rule says, and how far to trust it."""

    rule: str
    values: tuple[Value, ...]
    source: str
    """Paper, with its arXiv number and the place in it."""
    validity: str
    """Where the rule was tried, and what it takes for granted."""
    warnings: tuple[str, ...] = ()
    """How this use leaves the range in which the rule was tried; empty when it does not."""

    def __getitem__(self, name: str) -> float:
        """The value of this name.

        Raises:
            KeyError: the rule gave no such value; the message lists those it gave.
        """
        for value in self.values:
            if value.name == name:
                return value.value
        raise KeyError(f"{self.rule} gave no {name!r}; it gave {', '.join(v.name for v in self.values)}")


def step_law(non_embedding_parameters: float, training_tokens: float, sequence_tokens: int | None = None) -> Advice:
    """Peak learning rate and batch size for pretraining a language model from its size and its tokens.

    With N non-embedding parameters and D tokens: learning rate 1.79 N^-0.713 D^0.307, batch 0.58 D^0.571 tokens.
    For mixtures of experts N counts all experts.

    Li et al. 2025, arXiv 2503.04715. The constants were compared with two independent quotations of the paper and one
    implementation; the ends of the fitted ranges are recalled, only 1e9 parameters and 1e11 tokens were seen in print.

    Args:
        non_embedding_parameters: N.
        training_tokens: D, tokens seen in the whole run.
        sequence_tokens: length of a sequence; adds the batch in sequences.

    Returns:
        `peak_learning_rate`, `batch_tokens`, `steps`, and with a length `batch_sequences`; none of them rounded.

    Raises:
        ValueError: a number that is not finite and above 0.
    """
    n = _positive("non_embedding_parameters", non_embedding_parameters)
    d = _positive("training_tokens", training_tokens)
    batch = 0.58 * d**0.571
    values = [
        Value("peak_learning_rate", 1.79 * n**-0.713 * d**0.307),
        Value("batch_tokens", batch, "tokens"),
        Value("steps", d / batch, "optimizer steps"),
    ]
    if sequence_tokens is not None:
        values.append(Value("batch_sequences", batch / _positive("sequence_tokens", sequence_tokens), "sequences"))
    return Advice(
        "Step Law",
        tuple(values),
        "Li et al. 2025, Step Law, arXiv 2503.04715",
        "AdamW with a standard parameterization, cosine decay to a fixed final learning rate of 1e-5; about 60M to "
        "1.1B non-embedding parameters, 2B to 100B tokens, each token seen about once. The optimum is broad.",
        _outside(
            ("non_embedding_parameters", n, STEP_LAW_PARAMETERS),
            ("training_tokens", d, STEP_LAW_TOKENS),
            ("batch_tokens", batch, STEP_LAW_BATCH_TOKENS),
        ),
    )


def mup_width_transfer(
    width: int,
    base_width: int,
    learning_rate: float,
    hidden_init_std: float,
    adam_eps: float | None = None,
    head_width: int | None = None,
    base_head_width: int | None = None,
) -> Advice:
    """Adam's hyperparameters at another width, so that those tuned at the base width stay the best (muP).

    With m = width / base_width: hidden matrices take learning rate / m and initial variance / m; embeddings, biases
    and norm gains keep their learning rate; the output layer keeps its learning rate and its logits are multiplied by
    1 / m; attention logits are scaled by 1 / head_width rather than its root, here so that nothing changes at the
    base. At m = 1 everything is as it was.

    Yang et al. 2022, arXiv 2203.03466, Table 8 (Adam); compared with two implementations (the README of `mup`, and
    nanoGPT-mup, where the epsilon is from too), not with the paper's own table.

    Args:
        width: model width of the run to come (d_model).
        base_width: width at which the other numbers were tuned.
        learning_rate: peak learning rate tuned at the base width.
        hidden_init_std: standard deviation of hidden matrices at the base width.
        adam_eps: Adam's epsilon at the base width.
        head_width: width of an attention head in the run to come; needs `base_head_width`.
        base_head_width: width of an attention head at the base.

    Returns:
        `width_multiplier`, `hidden_learning_rate`, `embedding_learning_rate`, `vector_learning_rate` (biases, gains),
        `output_learning_rate`, `hidden_init_std`, `output_multiplier`, and where asked `adam_eps` and
        `attention_logit_scale` (multiplies the dot product of query and key).

    Raises:
        ValueError: a number that is not finite and above 0, or one head width without the other.
    """
    m = _positive("width", width) / _positive("base_width", base_width)
    rate, std = _positive("learning_rate", learning_rate), _positive("hidden_init_std", hidden_init_std)
    values = [
        Value("width_multiplier", m),
        Value("hidden_learning_rate", rate / m),
        Value("embedding_learning_rate", rate),
        Value("vector_learning_rate", rate),
        Value("output_learning_rate", rate),
        Value("hidden_init_std", std / math.sqrt(m)),
        Value("output_multiplier", 1 / m),
    ]
    if adam_eps is not None:
        values.append(Value("adam_eps", _positive("adam_eps", adam_eps) / m))
    if (head_width is None) != (base_head_width is None):
        raise ValueError("attention needs head_width and base_head_width together; one of them is missing")
    if head_width is not None and base_head_width is not None:
        base = _positive("base_head_width", base_head_width)
        values.append(Value("attention_logit_scale", math.sqrt(base) / _positive("head_width", head_width)))
    return Advice(
        "muP width transfer",
        tuple(values),
        "Yang et al. 2022, Tensor Programs V, arXiv 2203.03466, Table 8 (Adam); epsilon as in nanoGPT-mup",
        "Adam; same depth, batch, data and number of steps at both widths; tried from width 256 to 8192. It does not "
        "transfer weight decay, dropout or the length of training.",
        _width_warnings(width, base_width),
    )


def completep_transfer(
    width: int,
    base_width: int,
    depth_layers: int,
    base_depth_layers: int,
    learning_rate: float,
    hidden_init_std: float,
    weight_decay: float,
    adam_eps: float,
    alpha: float = 1.0,
) -> Advice:
    """AdamW's hyperparameters at another width and depth of a pre-norm transformer (CompleteP, with alpha 1).

    With m = width / base_width and l = depth / base_depth: residual branches are multiplied by l^-alpha; hidden
    matrices take learning rate * l^(alpha-1) / m, variance / m, weight decay * m and epsilon * l^-alpha / m; biases
    and norm gains inside the blocks take learning rate * l^(alpha-1) and the same epsilon; embeddings, the final norm
    and the output layer keep their learning rate, with epsilon / m; logits are multiplied by 1 / m. With alpha 1 the
    learning rate does not depend on depth. alpha 0.5 is the rule of Yang et al. 2023 (arXiv 2310.02244).

    Dey et al. 2025, arXiv 2505.01618, Table 1; compared with the authors' minimal implementation (nanoGPT-mup, branch
    completep, whose epsilon was corrected after arXiv 2512.22382) and with an independent derivation.

    Args:
        width, base_width, learning_rate, hidden_init_std, adam_eps: as for `mup_width_transfer`.
        depth_layers: transformer blocks of the run to come.
        base_depth_layers: blocks at which the other numbers were tuned.
        weight_decay: of AdamW at the base, multiplied by the learning rate at each step as in PyTorch; 0 is allowed.
        alpha: how residual branches shrink with depth.

    Returns:
        `width_multiplier`, `depth_multiplier`, `residual_multiplier`, `hidden_learning_rate`,
        `block_vector_learning_rate`, `embedding_learning_rate`, `output_learning_rate`, `hidden_init_std`,
        `output_multiplier`, `hidden_weight_decay`, `embedding_weight_decay`, `block_adam_eps`, `embedding_adam_eps`
        (embeddings, final norm and output).

    Raises:
        ValueError: a number that is not finite and above 0, a negative weight decay.
    """
    m = _positive("width", width) / _positive("base_width", base_width)
    l = _positive("depth_layers", depth_layers) / _positive("base_depth_layers", base_depth_layers)  # noqa: E741
    rate, std = _positive("learning_rate", learning_rate), _positive("hidden_init_std", hidden_init_std)
    eps, a = _positive("adam_eps", adam_eps), _positive("alpha", alpha)
    if not (math.isfinite(weight_decay) and weight_decay >= 0):
        raise ValueError(f"weight_decay is {weight_decay!r}; it is a finite number from 0 up")
    warnings = list(_width_warnings(width, base_width))
    if not 0.5 <= a <= 1:
        warnings.append(f"alpha is {a:g}; the paper looks at 0.5 to 1 and finds 1 best")
    if base_depth_layers < 2:
        warnings.append("base_depth_layers is 1; the paper's base has 2 blocks")
    return Advice(
        "CompleteP" if a == 1 else f"depth transfer with alpha {a:g}",
        (
            Value("width_multiplier", m),
            Value("depth_multiplier", l),
            Value("residual_multiplier", l**-a),
            Value("hidden_learning_rate", rate * l ** (a - 1) / m),
            Value("block_vector_learning_rate", rate * l ** (a - 1)),
            Value("embedding_learning_rate", rate),
            Value("output_learning_rate", rate),
            Value("hidden_init_std", std / math.sqrt(m)),
            Value("output_multiplier", 1 / m),
            Value("hidden_weight_decay", weight_decay * m),
            Value("embedding_weight_decay", weight_decay),
            Value("block_adam_eps", eps * l**-a / m),
            Value("embedding_adam_eps", eps / m),
        ),
        "Dey et al. 2025, CompleteP, arXiv 2505.01618, Table 1",
        "Pre-norm transformers trained with AdamW, base width 256 and 2 blocks; same batch and number of steps. Biases "
        "and norm gains have no weight decay.",
        tuple(warnings),
    )


def linear_batch_scaling(batch_examples: int, base_batch_examples: int, learning_rate: float) -> Advice:
    """SGD's learning rate for another batch size at the same number of epochs: in proportion to the batch.

    Goyal et al. 2017, arXiv 1706.02677: 0.1 for 256 images becomes 3.2 for 8192, with a warmup over 5 epochs that
    starts from the base learning rate. The numbers were compared with a page that quotes the paper's table.

    Args:
        batch_examples: examples in a batch, over all devices, of the run to come.
        base_batch_examples: batch at which the learning rate was tuned.
        learning_rate: the tuned learning rate, for a loss that is averaged over the batch.

    Returns:
        `batch_multiplier`, `learning_rate`, `warmup_epochs`, `warmup_start_learning_rate`, `steps_multiplier`.

    Raises:
        ValueError: a number that is not finite and above 0.
    """
    k = _positive("batch_examples", batch_examples) / _positive("base_batch_examples", base_batch_examples)
    rate = _positive("learning_rate", learning_rate)
    warnings = []
    if batch_examples > _LINEAR_LARGEST_BATCH:
        warnings.append(
            f"batch_examples is {batch_examples}; the paper sees accuracy fall beyond {_LINEAR_LARGEST_BATCH} images"
        )
    return Advice(
        "linear batch scaling",
        (
            Value("batch_multiplier", k),
            Value("learning_rate", rate * k),
            Value("warmup_epochs", 5.0, "epochs"),
            Value("warmup_start_learning_rate", min(rate, rate * k)),
            Value("steps_multiplier", 1 / k),
        ),
        "Goyal et al. 2017, arXiv 1706.02677",
        "SGD with momentum, same number of epochs, ResNet-50 on ImageNet, batches of 256 to 8192 images. For Adam see "
        "square_root_batch_scaling.",
        tuple(warnings),
    )


def square_root_batch_scaling(
    batch_examples: int,
    base_batch_examples: int,
    learning_rate: float,
    beta1: float | None = None,
    beta2: float | None = None,
    adam_eps: float | None = None,
) -> Advice:
    """Adam's hyperparameters for another batch size at the same number of epochs: with the root of the batch.

    With k = batch / base batch: learning rate * sqrt(k), 1 - beta becomes k (1 - beta) for both betas, epsilon /
    sqrt(k). Changing the learning rate alone is not the whole rule. A beta that would fall below 0 is left out, with
    a warning.

    Malladi et al. 2022, arXiv 2205.10287 (the rule was compared with an implementation that cites it). Krizhevsky 2014,
    arXiv 1404.5997, has the root for SGD's learning rate, from keeping the gradient's variance; for SGD on ImageNet at
    8192 images, Goyal et al. 2017 measured it clearly worse than the linear rule (26.2 against 23.7 percent error).

    Args:
        batch_examples, base_batch_examples, learning_rate: as for `linear_batch_scaling`.
        beta1, beta2, adam_eps: Adam's at the base batch.

    Returns:
        `batch_multiplier`, `learning_rate`, `steps_multiplier`, and of those given `beta1`, `beta2`, `adam_eps`.

    Raises:
        ValueError: a number that is not finite and above 0, a beta outside of 0 to 1.
    """
    k = _positive("batch_examples", batch_examples) / _positive("base_batch_examples", base_batch_examples)
    values = [
        Value("batch_multiplier", k),
        Value("learning_rate", _positive("learning_rate", learning_rate) * math.sqrt(k)),
        Value("steps_multiplier", 1 / k),
    ]
    warnings = []
    for name, beta in (("beta1", beta1), ("beta2", beta2)):
        if beta is None:
            continue
        if not 0 <= beta < 1:
            raise ValueError(f"{name} is {beta!r}; it lies from 0 to below 1")
        scaled = 1 - k * (1 - beta)
        if scaled < 0:
            warnings.append(
                f"{name} would become {scaled:.3g}: a batch {k:g} times as large leaves the rule; it holds for {name} "
                f"up to {math.floor(base_batch_examples / (1 - beta) + 1e-9)} examples"
            )
        else:
            values.append(Value(name, scaled))
    if adam_eps is not None:
        values.append(Value("adam_eps", _positive("adam_eps", adam_eps) / math.sqrt(k)))
    return Advice(
        "square-root batch scaling",
        tuple(values),
        "Malladi et al. 2022, arXiv 2205.10287; Krizhevsky 2014, arXiv 1404.5997",
        "Adam and RMSprop, same number of epochs, while the noise of the gradient dominates (a batch well below the "
        "critical one) and k (1 - beta) stays small.",
        tuple(warnings),
    )


def _positive(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise ValueError(f"{name} is {value!r}; it is a finite number above 0")
    return float(value)


def _outside(*checks: tuple[str, float, tuple[float, float]]) -> tuple[str, ...]:
    return tuple(
        f"{name} is {value:.4g}; the rule was fitted from {low:.4g} to {high:.4g}"
        for name, value, (low, high) in checks
        if not low <= value <= high
    )


def _width_warnings(width: int, base_width: int) -> tuple[str, ...]:
    warnings = []
    if base_width < _TRANSFER_WIDTH:
        warnings.append(f"base_width is {base_width}; below {_TRANSFER_WIDTH} the best learning rate still drifts")
    if width > _WIDEST:
        warnings.append(f"width is {width}; the rule was tried up to {_WIDEST}")
    if width < base_width:
        warnings.append(f"width {width} is below base_width {base_width}; the rule was tried from small to large")
    return tuple(warnings)
