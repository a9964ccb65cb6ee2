import nevergrad as ng

from tunewright import Float, Int, Space, TaskCard, warmstart
from tunewright.export.nevergrad import config, space, suggest

card = TaskCard(goal="gradient boosting on a table of 2,000 rows", metric="loss", direction="minimize",
                space=Space(Float("learning_rate", 1e-3, 1.0, log=True), Int("max_depth", 2, 12)))  # fmt: skip
optimizer = ng.optimizers.NGOpt(space(card), budget=20)
suggest(warmstart(card, n=5, model=None), card, optimizer)  # model="openai/NAME": a model's points
for _ in range(20):
    candidate = optimizer.ask()
    c = config(candidate.value, card)
    optimizer.tell(candidate, abs(c["learning_rate"] - 0.08) + c["max_depth"])
print(config(optimizer.provide_recommendation().value, card))
