"""What an option is for, told by its name: why a seed, a path or a number of workers is not tuned unless asked for."""

import re

from tunewright.init.reading import Kind

_SECRET = re.compile(r"(^|_)(api_?key|key|token|secret|password|passwd|credentials?|auth)s?$")
SEED = "a seed is no setting to be chosen by its result"
_SEED = re.compile(r"(^|_)(seed|random_state|rng)$")
_PATH_END = (
    "path dir directory folder file filename root output out outdir checkpoint ckpt resume save load cache data "
    "dataset weights logdir log_to uri url pretrained from_checkpoint"
)
_PATH = re.compile(rf"(^|_)({'|'.join(_PATH_END.split())})s?$|^(path|dir|file|output|save|load|resume|data)_")
_WORKERS = re.compile(
    r"(^|_)(workers?|n_?jobs|n_?procs?|processes|threads?|n_?thread|prefetch|prefetch_factor|pin_memory)$"
)
_DEVICE_WORDS = (
    "device devices gpu gpus gpu_id cuda no_cuda use_cuda cpu use_gpu accelerator local_rank rank world_size num_nodes "
    "nodes dist_url dist_backend master_addr master_port port host backend strategy tpu mps"
)
_DEVICE = re.compile(rf"^({'|'.join(_DEVICE_WORDS.split())})$")
_LOGGING_WORDS = (
    "verbose verbosity quiet debug version dry_run profile wandb use_wandb project entity run_name run_id exp_name "
    "experiment experiment_name name tag tags notes note log logger logging log_level print progress no_progress "
    "progress_bar tensorboard plot show"
)
_LOGGING = re.compile(
    rf"^({'|'.join(_LOGGING_WORDS.split())})$"
    r"|(^|_)(log|print|eval|save|val|display|checkpoint|logging)_(every|interval|freq|frequency|steps?|epochs?|n|iters?)$"
    r"|^wandb_|^(save|log)_(model|plots?|images?|every|total_limit|strategy)$"
)
_BUDGET = re.compile(
    r"^(n|num|max|total|train|nb|number_of)?_?(train_|training_|opt_)?(epochs?|steps?|iters?|iterations|timesteps|updates)$"
)
_TASK_WORDS = (
    "num_classes n_classes classes vocab_size in_channels out_channels input_dim output_dim in_dim out_dim input_size "
    "output_size val_split val_size val_fraction val_ratio valid_size test_size test_split test_ratio train_size "
    "train_split train_ratio split fold folds n_folds n_splits num_folds subset limit num_samples "
    "n_samples max_samples num_train num_test n_train n_test task target metric objective mode dataset_name dataset "
    "env env_id env_name max_train_samples max_eval_samples test val evaluate eval_only eval test_only predict"
)
_TASK = re.compile(rf"^({'|'.join(_TASK_WORDS.split())})$")


def is_secret(name: str) -> bool:
    """Whether an option of this name may hold a credential, whose value is then shown nowhere."""
    return bool(_SECRET.search(_leaf(name))) and not re.search(r"(num|max|n|min)_(key|token)s?$", _leaf(name))


def why_not(name: str, kind: Kind) -> str:
    """Why an option of this name is not tuned by default; empty where nothing speaks against it."""
    leaf = _leaf(name)
    if is_secret(leaf):
        return "it may be a credential; keep it in the environment"
    if _SEED.search(leaf):
        return SEED
    if kind == "text" and _PATH.search(leaf):
        return "a path or a name of data"
    if _WORKERS.search(leaf):
        return "it changes the speed, not the result"
    if _DEVICE.search(leaf):
        return "it says where to run, not what"
    if _LOGGING.search(leaf):
        return "it is about reporting"
    if _TASK.search(leaf):
        return "it changes the task that is measured, so results would not compare"
    if kind in ("int", "float") and _BUDGET.search(leaf):
        return "a budget: more is rarely worse and always dearer; fix it"
    return ""


def _leaf(name: str) -> str:
    """The last part of a nested name in lower case, camel case taken apart."""
    last = name.lstrip("-").replace("-", "_").split(".")[-1].split("__")[-1]
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", last).lower().strip("_")
