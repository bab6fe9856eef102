"""What is debugged: harts as threads, worlds as processes, breakpoints and watchpoints."""
