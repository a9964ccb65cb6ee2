"""The product: a language model proposes, a surrogate disposes, a record remembers. Importing this does nothing."""
