"""Tunewright inside the tools that people use: an Optuna sampler, a Ray Tune searcher, a scikit-learn search.

Each module imports its own library and is imported by its user alone.
"""
