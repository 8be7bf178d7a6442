"""What images still tell about a feature, whichever map removed it."""

from infounlearn.audit.images.verb import audit_images as audit_images

__all__ = ["audit_images"]
