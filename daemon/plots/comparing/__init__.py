"""Pictures of several acquisitions: sizes of conditions beside each other, and counts against a reference.

Takes acquisitions through `storage`, in groups that a person named, and tables or label images of a reference;
gives figures. What is in different units is not drawn together, and nothing is changed.
"""
