import optuna

from tunewright import Float, Int, Space, TaskCard, warmstart

space = Space(Float("learning_rate", 1e-3, 1.0, log=True), Int("max_depth", 2, 12))
card = TaskCard(goal="gradient boosting on a table of 2,000 rows", metric="loss", direction="minimize", space=space)


def objective(trial: optuna.Trial) -> float:
    return abs(trial.suggest_float("learning_rate", 1e-3, 1.0, log=True) - 0.08) + trial.suggest_int("max_depth", 2, 12)


study = optuna.create_study(direction="minimize")
warmstart(card, n=5, model=None).to_optuna(study)  # model="openai/NAME": a model's points
study.optimize(objective, n_trials=15)
