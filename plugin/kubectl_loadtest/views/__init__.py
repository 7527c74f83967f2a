"""What is shown: a run that goes on, one that has ended. `screen` prints, the rest makes renderables from a status."""
