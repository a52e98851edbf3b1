"""
Relay peers: other libraries, doing the work of our relay in their best documented configuration.

In an environment of their own: what is here imports the standard library, the peers, their
drivers and redis, and of the bench only what does the same.
"""
