"""What a machine is and did, for people: translations, statistics, traces."""
