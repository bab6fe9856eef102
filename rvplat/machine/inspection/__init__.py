"""Reports on a machine for people: translations, statistics, traces."""
