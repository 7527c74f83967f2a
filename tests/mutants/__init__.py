"""Would a test notice? Small faults put into the rooms that judge, one at a time (`make mutants`)."""
