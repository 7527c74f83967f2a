"""Workers and the delay proxy: their control APIs, straight or through the API server's proxy."""
