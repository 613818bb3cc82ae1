"""Bring a cluster to the state that a repository declares, and keep it there.

`desired`, `inventory`, `fields`, `plan`, `prune` and `health` are pure; `cluster` talks to the API
server, `apply` carries out one run, `loop` repeats it, `revision` follows git.
"""
