"""What is sent: bodies, synthetic texts, conversations, and the content behind a plan's references.

It knows the plan's requests and nothing of time or sockets. The runtime's kinds take bodies from here.
"""
