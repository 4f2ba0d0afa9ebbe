"""Random requests against the HTTP surface: what any client may send, and much that none should."""
