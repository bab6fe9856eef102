"""The system while it runs: harts, devices and memory, and what they tell each other."""
