import ray
from ray import tune
from ray.tune.search import BasicVariantGenerator

from tunewright import Float, Int, Space, TaskCard, warmstart
from tunewright.export.ray import points_to_evaluate, space

card = TaskCard(goal="gradient boosting on a table of 2,000 rows", metric="loss", direction="minimize",
                space=Space(Float("learning_rate", 1e-3, 1.0, log=True), Int("max_depth", 2, 12)))  # fmt: skip
points = points_to_evaluate(warmstart(card, n=3, model=None))  # model="openai/NAME": a model's points
ray.init(num_cpus=1, include_dashboard=False)
config = tune.TuneConfig(search_alg=BasicVariantGenerator(points_to_evaluate=points), num_samples=4)
objective = lambda c: {"loss": abs(c["learning_rate"] - 0.08) + c["max_depth"]}  # noqa: E731
results = tune.Tuner(objective, param_space=space(card), tune_config=config).fit()
print(results.get_best_result("loss", "min").config)
