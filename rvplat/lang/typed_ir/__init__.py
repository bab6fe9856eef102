"""The typed IR of a definition, and what works on it: effects, evaluation, specialisation."""
