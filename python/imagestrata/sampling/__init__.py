"""Samples of images with weights, pairs of images, and packets for annotators."""
