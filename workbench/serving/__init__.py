"""The HTTP side: one detached server per project that answers feature requests and takes rows.

Everything that a worker imports is light: neither Ibis nor sqlglot nor pandas is loaded here.
"""
