"""The model behind a study: one protocol, several kinds."""
