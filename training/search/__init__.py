"""Looks for a better recipe: trials of the fit, judged on the newest part of what it may train on."""
