"""Recordings of the real HorizontalPodAutoscaler, and the script that makes them."""
