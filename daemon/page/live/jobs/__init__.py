"""Predict and train on the page: uploads, orders, how far jobs are, and what they made.

Takes requests that the guard has let through; gives jobs to their processes and answers from their folders. It computes
nothing on images but small pictures of them, loads no network, and leaves the database alone.
"""
