"""Options by OmegaConf."""

from omegaconf import OmegaConf

cfg = OmegaConf.merge(OmegaConf.load("hydra/conf/model/mlp.yaml"), OmegaConf.from_cli())
print(f"loss={cfg.width}")
