"""The protocol: framing, packets, sessions, channels and the server."""
