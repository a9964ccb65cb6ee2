from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier as Boosting
from sklearn.model_selection import GridSearchCV

from tunewright import Float, Int, Space, TaskCard, warmstart
from tunewright.export.sklearn import grid

space = Space(Float("learning_rate", 0.01, 1.0, log=True), Int("max_iter", 10, 60), Int("max_depth", 2, 8))
card = TaskCard(goal="gradient boosting on 150 irises", metric="accuracy", direction="maximize", space=space)
points = warmstart(card, n=3, model=None)  # model="openai/NAME": a model's points
search = GridSearchCV(Boosting(random_state=0), grid(points), cv=3)
search.fit(*load_iris(return_X_y=True))
print(search.best_params_, search.best_score_)
