"""Sources as rows: where they lie, what of them was taken, which of their channels shows nuclei.

Takes descriptions and fingerprints of files; gives rows that say what is known of them. It opens no file.
"""
