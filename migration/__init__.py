"""The domain: what should be, what is, what to do next. Standard library only."""
