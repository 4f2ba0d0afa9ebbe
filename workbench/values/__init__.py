"""Column types and values, and how they travel between Python, JSON and Arrow."""
