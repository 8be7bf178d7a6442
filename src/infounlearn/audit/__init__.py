"""Outputs in, findings out: what a model still knows, whichever method made it forget."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from infounlearn.audit.collect import collect_outputs as collect_outputs
from infounlearn.audit.feature import audit_feature as audit_feature
from infounlearn.audit.files import load_outputs as load_outputs
from infounlearn.audit.files import save_outputs as save_outputs
from infounlearn.audit.images import audit_images as audit_images
from infounlearn.audit.verb import audit as audit
from infounlearn.audit.verdicts import QUESTIONS as QUESTIONS

__all__ = [
    "QUESTIONS",
    "audit",
    "audit_feature",
    "audit_images",
    "collect_outputs",
    "load_outputs",
    "save_outputs",
]


class _Room(ModuleType):
    """A module that may be called.

    The verb and its room share a name: once this room is imported, Python binds it to
    ``infounlearn.audit``, where the verb is promised. Calling either does the same.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return audit(*args, **kwargs)


sys.modules[__name__].__class__ = _Room
