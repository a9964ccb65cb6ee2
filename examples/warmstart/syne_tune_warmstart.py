from syne_tune.optimizer.baselines import TPE
from syne_tune.optimizer.schedulers.ask_tell_scheduler import AskTellScheduler

from tunewright import Float, Int, Space, TaskCard, warmstart
from tunewright.export.syne_tune import points_to_evaluate, space

card = TaskCard(goal="gradient boosting on a table of 2,000 rows", metric="loss", direction="minimize",
                space=Space(Float("learning_rate", 1e-3, 1.0, log=True), Int("max_depth", 2, 12)))  # fmt: skip
points = points_to_evaluate(warmstart(card, n=5, model=None), card)  # model="openai/NAME": a model's points
scheduler = AskTellScheduler(TPE(space(card), metric="loss", points_to_evaluate=points))
for _ in range(12):
    trial = scheduler.ask()
    scheduler.tell(trial, {"loss": abs(trial.config["learning_rate"] - 0.08) + trial.config["max_depth"]})
