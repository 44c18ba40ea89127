"""What a person says of tracks, and what corrected nuclei mean for them, solved where it matters and nowhere else.

Takes nuclei and plain tracks around the corrections as tables; gives the links that change and the ids that follow. The
tracks of a nucleus that no correction reaches stay as they are, and keep their ids. It knows neither rows nor images.
"""
