"""The back end: LLVM text from typed IR, object code from that, and its memory."""
