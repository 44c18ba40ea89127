"""The life of results after they are made: moved, forgotten, looked through.

Takes what a person, or the rule of retention, wants; gives orders to the one writer, or is it. Looks into no image.
"""
