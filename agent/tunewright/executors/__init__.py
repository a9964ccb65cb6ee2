"""Where trials run: the engine that the loop hands its jobs to."""
