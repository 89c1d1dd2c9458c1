"""Immutable data sets: cut from the store or from files, hashed, read again."""
