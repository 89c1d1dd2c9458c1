"""What Labelwright would have done: a repository's past, replayed as of each moment, and its report.

Reads and computes; refuses to write anything but its own report and caches on this machine.
"""
