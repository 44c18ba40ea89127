"""What people say of the images in watched folders: facts that their files do not give, or give wrongly.

Takes what is configured and what is submitted; gives the facts that count for a source, and has a source that was taken
for something else read again. It opens no file itself, and touches what is stored only through the catalog.
"""
