"""From a definition's syntax tree to its typed IR. Texts that break a rule are refused."""
