from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from toy import card, objective

from tunewright import Tuner
from tunewright.plots import plot


def test_plots_drawn_at_the_same_time_are_those_drawn_in_turn(tmp_path: Path) -> None:
    """A server draws in several threads; pyplot has one current figure for all of them."""
    kinds = ["history", "slice", "history", "slice"]
    tuner = Tuner(card(), storage=f"sqlite:///{tmp_path}/study.db", folder=tmp_path / "runs", model=None)
    try:
        tuner.run(objective, trials=4)
        plot(tuner.study, "history")  # the first one sets a style for all later ones
        alone = [plot(tuner.study, kind) for kind in kinds]
        with ThreadPoolExecutor(len(kinds)) as pool:
            together = list(pool.map(lambda kind: plot(tuner.study, kind), kinds))
        assert together == alone
    finally:
        tuner.close()
