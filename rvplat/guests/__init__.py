"""What runs on the machine: the demo guest, benchmark programs, Debian."""
