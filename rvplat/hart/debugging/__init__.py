"""What debuggers need of harts: watchpoints, and worlds (the host and its guests)."""
