"""The API server: objects as dictionaries, the lease, and questions at their own pace."""
