"""SetFit models in and out: a directory becomes a bundle with its head beside it, and a directory again."""
