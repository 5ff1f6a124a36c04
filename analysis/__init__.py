"""Statistics of results: what transfers between languages, and what predicts it."""
