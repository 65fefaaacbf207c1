"""Proofs that the baselines are right: closed forms, toy problems, other packages."""
