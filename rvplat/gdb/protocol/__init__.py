"""The protocol: framing, packets, sessions, channels, and what a target must offer."""
