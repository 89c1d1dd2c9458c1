"""Few-label experiments: every semi-supervised method and its supervised twin on one benchmark."""
