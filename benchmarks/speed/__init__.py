"""Speed on one device, a CPU or a GPU, measured in pieces that can be stopped and repeated.

    python -m benchmarks.speed --out runs/gpu

One piece, one JSON file; a piece is a list of rows, and a row is safe on the disk once it is
measured. The same command goes on with what is missing.
"""
