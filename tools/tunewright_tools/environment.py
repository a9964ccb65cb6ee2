"""The environment of a run: the person's own, without the keys that the tuner uses, with what a run may read."""

import json
import os
from collections.abc import Mapping

from .base import Job

KEPT_KEYS = frozenset(
    {
        "WANDB_API_KEY",
        "COMET_API_KEY",
        "SWANLAB_API_KEY",
        "NEPTUNE_API_KEY",
        "LIGHTNING_API_KEY",
        "KAGGLE_API_KEY",
        "ROBOFLOW_API_KEY",
        "LABELBOX_API_KEY",
    }
)
"""Keys that training programs themselves use, for experiment trackers and data sets."""

REMOVED_KEYS = frozenset(
    {
        "API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_IDENTITY_TOKEN",
        "AICORE_SERVICE_KEY",
        "AIMLAPI_KEY",
        "AZURE_AD_TOKEN",
        "COMETAPI_KEY",
        "DATAROBOT_API_TOKEN",
        "FIREWORKS_AI_TOKEN",
        "FRIENDLI_TOKEN",
        "GIGACHAT_ACCESS_TOKEN",
        "JINA_AI_TOKEN",
        "OPENAI_ADMIN_KEY",
        "REPLICATE_API_TOKEN",
        "TOGETHER_AI_TOKEN",
        "VOYAGE_AI_TOKEN",
        "WATSONX_APIKEY",
        "WATSONX_TOKEN",
    }
)
"""Keys of model providers that are not named `*_API_KEY`."""


def is_tuner_key(name: str) -> bool:
    """Whether a variable holds a key that the tuner may use to reach a language model.

    That is every `*_API_KEY` (litellm alone knows some two hundred) but `KEPT_KEYS`, and `REMOVED_KEYS`. HF_TOKEN and
    the AWS and Google Cloud credentials stay, because training programs fetch their data with them.
    """
    name = name.upper()
    return name in REMOVED_KEYS or (name.endswith("_API_KEY") and name not in KEPT_KEYS)


def build(job: Job, inherited: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """The variables of one run. `own` wins over what is inherited, so it can put a removed key back on purpose."""
    kept = {
        name: value
        for name, value in inherited.items()
        if not is_tuner_key(name) and not name.startswith("TUNEWRIGHT_")
    }
    run = {
        "TUNEWRIGHT_CONFIG": str(config_path(job)),
        "TUNEWRIGHT_TRIAL_DIR": str(job.dir.absolute()),
        "TUNEWRIGHT_SEED": str(job.seed),
        "TUNEWRIGHT_ATTEMPT": str(job.attempt),
    }
    if job.fidelity is not None:
        run["TUNEWRIGHT_FIDELITY"] = repr(job.fidelity)
    if job.checkpoint is not None:
        run["TUNEWRIGHT_CHECKPOINT"] = str(job.checkpoint.absolute())
    if job.limits.gpu_memory_bytes is not None:
        run["TUNEWRIGHT_GPU_MEMORY_BYTES"] = str(job.limits.gpu_memory_bytes)
    if job.devices:
        # The order that nvidia-smi and NVML count in; CUDA's own default is fastest first.
        run["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
        run["CUDA_VISIBLE_DEVICES"] = ",".join(str(device) for device in job.devices)
    # Python programs hold back what they print to a pipe; points of the curve must come as they are made.
    return {"PYTHONUNBUFFERED": "1", **kept, **own, **run}


def config_path(job: Job) -> "os.PathLike[str]":
    """Where the configuration is written as JSON."""
    return job.dir.absolute() / "config.json"


def write_config(job: Job) -> None:
    """Write the configuration, a JSON object of parameter name to value.

    Raises:
        OSError: it cannot be written.
    """
    with open(config_path(job), "w", encoding="utf-8") as file:
        json.dump(job.config, file, indent=1)
        file.write("\n")
