from smac import HyperparameterOptimizationFacade as Facade
from smac import Scenario

from tunewright import Float, Int, Space, TaskCard, warmstart
from tunewright.export.smac import configurations, space

card = TaskCard(goal="gradient boosting on a table of 2,000 rows", metric="loss", direction="minimize",
                space=Space(Float("learning_rate", 1e-3, 1.0, log=True), Int("max_depth", 2, 12)))  # fmt: skip
scenario = Scenario(space(card), deterministic=True, n_trials=8)
points = configurations(warmstart(card, n=5, model=None), scenario.configspace)  # model="openai/NAME": a model's
design = Facade.get_initial_design(scenario, n_configs=0, additional_configs=points)
objective = lambda c, seed=0: abs(c["learning_rate"] - 0.08) + c["max_depth"]  # noqa: E731
print(Facade(scenario, objective, initial_design=design).optimize())
