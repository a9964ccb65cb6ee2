"""What a dry run says would happen."""

from typing import Any

import pytest
from toy import card

from tunewright.llm.scripted import Scripted
from tunewright.preview import preview


@pytest.mark.parametrize("model", [None, Scripted([])])
def test_no_more_first_points_are_shown_than_there_will_be_trials(model: Any) -> None:
    shown = preview(card(), model, base_url=None, prices=None, trials=2, seed=0)
    assert len(shown.first_points) == 2
    assert shown.first_points[0][0] == "default"
    assert "Estimate: 2 trials" in shown.text()
