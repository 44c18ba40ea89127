"""How a plane becomes what the network is shown.

Takes planes as they come from a camera, (Y, X) of any dtype; gives them at the network's resolution: polarity,
believable range, no lost lines, even background and normalised intensities, and notes in passing what they tell about
their own quality. Statistics are decided once per stack, from slices that show something. It knows neither the network
nor labels.
"""
