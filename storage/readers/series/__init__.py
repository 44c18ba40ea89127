"""Images in many files: one per time point, or one per plane, told by their names.

Takes the files that belong together; gives one acquisition. Each file is opened by its own format's reader.
"""
