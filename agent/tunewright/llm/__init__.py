"""The model behind a study: one protocol (`base.Chat`), several kinds, opened by name with `factory.open_chat`."""
