"""The page that shows a machine: the files that a browser gets (docs/howto/page.md)."""
