"""Pure functions of arrays and bytes. They know neither tables nor SQL."""
