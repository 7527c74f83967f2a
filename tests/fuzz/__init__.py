"""Random and broken input to whatever reads what others wrote: it is taken, or refused in words; never a traceback."""
