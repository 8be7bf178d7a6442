"""What a table or a model still tells about a feature, whichever method removed it."""

from infounlearn.audit.feature.verb import audit_feature as audit_feature

__all__ = ["audit_feature"]
