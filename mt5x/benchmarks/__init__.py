"""How fast the parts of the engine are: what `mt5x benchmark` measures."""
