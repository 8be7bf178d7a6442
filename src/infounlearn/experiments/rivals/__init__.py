"""Other people's methods, each in the shape of a scikit-learn estimator, for comparisons.

Each file is one method: what its package does, with its published defaults, behind ``fit(X, y,
sensitive)``. Packages are imported when used (``pip install infounlearn[rivals]``). All of them
read the same coded table (:mod:`~infounlearn.experiments.rivals.encoding`), have the same base
models and, where they post-process, the same out-of-fold scores
(:mod:`~infounlearn.experiments.rivals.base`), so that what differs is the method.
"""
