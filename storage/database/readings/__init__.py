"""What a source that is known becomes when it is found again: more of it, or the same with other facts.

Takes rows and what was found; gives values to be written, and the result that gives way. It opens no files.
"""
