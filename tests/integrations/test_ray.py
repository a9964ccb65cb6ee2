"""The searcher for Ray Tune where there is no Ray; the rest is in tests/exporters, whose environment has it."""

import importlib
import sys

import pytest


def test_without_ray_the_way_to_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "tunewright.integrations.ray_space", raising=False)
    for name in [name for name in sys.modules if name.startswith("ray.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "tunewright.integrations.ray", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'tunewright\[ray\]'"):
        importlib.import_module("tunewright.integrations.ray")
