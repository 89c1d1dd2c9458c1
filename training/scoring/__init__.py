"""What `labelwright-train score` trains and measures: an encoder beside words, and SetFit as the reference."""
