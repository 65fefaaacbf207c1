"""Studies beside the main experiment: what options, pre-training and DIMA's parts are worth."""
