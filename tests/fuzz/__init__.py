"""Random guests that try to crash, hang or confuse rvplat: python -m tests.fuzz"""
