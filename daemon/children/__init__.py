"""Processes of our own that may hang, crash or be killed: the service goes on, and knows over what it happened.

Takes a module to run and requests for it; gives its words, and after its death which request is to blame. What is said
is the business of the two who speak: the worker and its client, the inspection and its client.
"""
