"""Program files and where they go in memory; the device tree that software is told."""
