"""Every sentence that a model reads, as Markdown with Jinja."""
