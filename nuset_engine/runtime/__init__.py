"""What computes the network: Keras in float32, or where the processor has instructions for it in bfloat16, or OpenVINO
in int8.

Takes weights and normalised inputs; gives the network's answers, whichever runtime made them. It knows nothing of
images, and each runtime is imported only when it is used: with OpenVINO no TensorFlow is loaded.
"""
