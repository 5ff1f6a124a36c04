"""From the benchmarks' own files to TFDS data sets under their official names, every row checked.

One file per data set family; `run.py` finds them in a folder and writes them all, or nothing.
"""
