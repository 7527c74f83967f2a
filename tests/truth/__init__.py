"""Is what the generator reports what happened? Servers that know the truth, and the errors of every figure (`make truth`)."""
