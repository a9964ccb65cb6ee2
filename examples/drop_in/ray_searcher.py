from ray import tune

from tunewright.integrations.ray import TunewrightSearcher


def train(config: dict) -> None:
    tune.report({"loss": abs(config["learning_rate"] - 0.08) + 0.1 * config["max_depth"]})


space = {"learning_rate": tune.loguniform(1e-3, 1.0), "max_depth": tune.randint(2, 13)}
# model="local" or "openai/NAME": a model proposes
searcher = TunewrightSearcher(goal="gradient boosting on a table of 2,000 rows", model=None, seed=0)
settings = tune.TuneConfig(metric="loss", mode="min", search_alg=searcher, num_samples=4, max_concurrent_trials=1)
print(tune.Tuner(train, param_space=space, tune_config=settings).fit().get_best_result().config)
