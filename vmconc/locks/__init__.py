"""The locks of the emulated kernel: the only things a CPU can wait for."""
