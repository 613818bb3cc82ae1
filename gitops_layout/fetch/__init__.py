"""Bring what lies outside a repository into the store, pinned by a lock: the one reading verb with a network."""
