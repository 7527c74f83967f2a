"""LoadTestSchedules: when a run is due, what is started, kept or cleared away."""
