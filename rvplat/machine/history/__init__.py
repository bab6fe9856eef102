"""What a machine keeps of its run, so that it can go back: checkpoints, and input since."""
