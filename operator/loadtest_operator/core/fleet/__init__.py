"""Workers and proxies as objects: the manifests they are made of, and what is wrong with their pods."""
