from scipy.stats import loguniform
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from tunewright.integrations.sklearn import TunewrightSearchCV

space = {"svc__C": loguniform(1e-2, 1e3), "svc__gamma": loguniform(1e-4, 1.0), "svc__kernel": ["rbf", "poly"]}
pipeline = make_pipeline(StandardScaler(), SVC())
# model="local" or "openai/NAME": a model proposes
search = TunewrightSearchCV(pipeline, space, n_trials=8, model=None, goal="classify 150 irises", cv=3, random_state=0)
search.fit(*load_iris(return_X_y=True))
print(search.best_params_, search.best_score_)
