"""Baselines and the experiment where there is no checkout: `pip install wirelessenvs[benchmarks]`.

`networld-benchmarks run --preset smoke`, or `python -m networld_benchmarks run --preset smoke`, is
`python -m benchmarks.run --preset smoke` of a checkout; so is every other command of `benchmarks`,
and `networld-benchmarks --help` lists them. Outputs go to the current folder or to `--out`.
"""
