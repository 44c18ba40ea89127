"""One file out for each image in, without a database: `segment`, `detect` and `evaluate`.

Takes images; gives label images, tables and reports. What fails is said in a sentence, and the rest goes on.
"""
