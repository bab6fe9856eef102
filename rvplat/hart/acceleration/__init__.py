"""What makes harts fast: translation caches, decoded code, and what invalidates both."""
