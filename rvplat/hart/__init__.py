"""The part of the architecture that is not instructions: traps, privilege, address translation.

acceleration/  what makes it fast: translation caches, decoded code and what invalidates it
debugging/     what debuggers need: watchpoints, worlds
"""
