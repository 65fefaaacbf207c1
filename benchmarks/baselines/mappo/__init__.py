"""MAPPO and IPPO: proximal policy optimisation of a team, one shared actor.

C. Yu et al., "The surprising effectiveness of PPO in cooperative multi-agent games", NeurIPS 2022
(arXiv 2103.01955). The critic sees the global state in training; at play every agent acts on its
own observation alone.
"""
