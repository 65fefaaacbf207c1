"""What the experiment costs on one GPU, told beforehand; nothing here needs one."""
