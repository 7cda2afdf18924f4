"""Anything → a folder of labelled pictures: generated drawings to try the program on, and more to come."""
