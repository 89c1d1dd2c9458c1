"""The queue and the work. Two roads lead through it, each named by the modules in their order:

a new issue    tasks, handlers, pipeline, applying (and `bot.github.apply`)
a correction   tasks, handlers, learning.taught, requests; then tasks, learning.refit, learning.swap
"""
