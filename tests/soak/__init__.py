"""The soak: a hundred short runs under random kills."""
