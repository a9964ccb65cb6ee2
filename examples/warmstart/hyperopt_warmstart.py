from hyperopt import Trials, fmin, tpe

from tunewright import Float, Int, Space, TaskCard, warmstart
from tunewright.export.hyperopt import config, enqueue, space

card = TaskCard(goal="gradient boosting on a table of 2,000 rows", metric="loss", direction="minimize",
                space=Space(Float("learning_rate", 1e-3, 1.0, log=True), Int("max_depth", 2, 12)))  # fmt: skip
trials = Trials()
enqueue(warmstart(card, n=5, model=None), card, trials)  # model="openai/NAME": a model's points
objective = lambda drawn: abs(config(drawn)["learning_rate"] - 0.08) + config(drawn)["max_depth"]  # noqa: E731
fmin(objective, space(card), algo=tpe.suggest, max_evals=20, trials=trials, show_progressbar=False)
print(trials.argmin)
