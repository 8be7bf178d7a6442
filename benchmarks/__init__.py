"""How fast it is, measured against what it is compared with, in one run: ``python -m benchmarks``.

Speed only; whether unlearning is any good is the matter of the audit and of the figures.
"""
