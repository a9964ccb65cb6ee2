from ax import Client

from tunewright import Float, Int, Space, TaskCard, warmstart
from tunewright.export.ax import attach, space

card = TaskCard(goal="gradient boosting on a table of 2,000 rows", metric="loss", direction="minimize",
                space=Space(Float("learning_rate", 1e-3, 1.0, log=True), Int("max_depth", 2, 12)))  # fmt: skip
client = Client(random_seed=0)
client.configure_experiment(parameters=space(card))
client.configure_optimization(objective="-loss")
waiting = attach(warmstart(card, n=5, model=None), client)  # model="openai/NAME": a model's points
for _ in range(3):
    for index, c in waiting.items():
        client.complete_trial(index, raw_data={"loss": abs(c["learning_rate"] - 0.08) + c["max_depth"]})
    waiting = client.get_next_trials(max_trials=1)
