"""Work in threads: a transaction beside the main loop, and in a worker what the network need not wait for.

Takes pieces of work, and items that one makes and another uses; gives what became of them. Whoever starts a thread
waits for its end, whatever happens: nothing goes on behind the back of a task that is over.
"""
