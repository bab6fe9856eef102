"""Random guests that try to end, hang or confuse rvplat: python -m tests.fuzz"""
