import skopt

from tunewright import Float, Int, Space, TaskCard, warmstart
from tunewright.export.skopt import space, x0

card = TaskCard(goal="gradient boosting on a table of 2,000 rows", metric="loss", direction="minimize",
                space=Space(Float("learning_rate", 1e-3, 1.0, log=True), Int("max_depth", 2, 12)))  # fmt: skip
points = x0(warmstart(card, n=5, model=None), card)  # model="openai/NAME": a model's points
found = skopt.gp_minimize(lambda x: abs(x[0] - 0.08) + x[1], space(card), x0=points, n_calls=8, n_initial_points=1)
print(found.x, found.fun)
