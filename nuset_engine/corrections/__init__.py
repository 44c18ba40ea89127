"""What a person says of nuclei, carried out on a volume of labels: merged, split, deleted, added, drawn anew.

Takes labels and, for what is drawn, planes; gives the changed labels, what was there before, and measurements of the
nuclei that changed. It knows neither rows nor who said it, and finds nuclei by place and overlap, never by number.
"""
