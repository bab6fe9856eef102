"""Coverage of programs that ran on machines: what is kept, its lines and functions, and files."""
