"""The first difference of two recordings: in their files, then between two instructions."""
