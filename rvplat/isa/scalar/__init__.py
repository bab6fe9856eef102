"""The rows of scalar extensions that few boards enable (`rv_scalar.py` names them)."""
