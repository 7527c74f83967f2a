"""A peer: Locust with its fast HTTP client, one process, no wait between requests."""

from locust import FastHttpUser, constant, task


class User(FastHttpUser):
    """One connection's loop."""

    wait_time = constant(0)

    @task
    def health(self) -> None:
        """The same GET as everyone's."""
        self.client.get("/health")
