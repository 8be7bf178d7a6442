"""The fair comparison: every method under one budget, one tuner and one yardstick."""
