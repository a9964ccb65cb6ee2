import optuna

from tunewright.integrations.optuna import TunewrightSampler


def objective(trial: optuna.Trial) -> float:
    rate = trial.suggest_float("learning_rate", 1e-3, 1.0, log=True)
    return abs(rate - 0.08) + 0.1 * trial.suggest_int("max_depth", 2, 12)


sampler = TunewrightSampler(goal="gradient boosting on a table of 2,000 rows", model=None, seed=0)  # the changed line
study = optuna.create_study(sampler=sampler)  # model="local" or "openai/NAME": a model proposes
study.optimize(objective, n_trials=12)
print(study.best_params, study.best_trial.user_attrs["source"])
