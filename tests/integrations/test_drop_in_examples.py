import runpy
from pathlib import Path

import optuna
import pytest

EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "drop_in"


@pytest.mark.parametrize(("name", "printed"), [("optuna_sampler", "learning_rate"), ("sklearn_search", "svc__C")])
def test_the_example_is_short_and_runs(name: str, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = EXAMPLES / f"{name}.py"
    assert len(path.read_text().strip().splitlines()) <= 15
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    runpy.run_path(str(path), run_name="__main__")
    assert printed in capsys.readouterr().out
