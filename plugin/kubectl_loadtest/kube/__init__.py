"""The API server: which one, and talking to it. Its errors are translated here, once; nobody else sees a status code."""
