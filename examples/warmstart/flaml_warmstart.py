from flaml import tune

from tunewright import Float, Int, Space, TaskCard, warmstart
from tunewright.export.flaml import arguments, config, space

card = TaskCard(goal="gradient boosting on a table of 2,000 rows", metric="loss", direction="minimize",
                space=Space(Float("learning_rate", 1e-3, 1.0, log=True), Int("max_depth", 2, 12)))  # fmt: skip
points = arguments(card, warmstart(card, n=5, model=None))  # model="openai/NAME": a model's points
objective = lambda c: {"loss": abs(c["learning_rate"] - 0.08) + c["max_depth"]}  # noqa: E731
best = tune.run(objective, config=space(card), metric="loss", num_samples=20, verbose=0, **points).best_config
print(config(best, card))
