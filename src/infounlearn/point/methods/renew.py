"""Fresh initialisations in place of what was trained."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn


@torch.no_grad()
def renew(model: nn.Module, fresh: nn.Module, modules: Iterable[nn.Module] | None = None) -> None:
    """Give weights and buffers of ``model`` the values they have in ``fresh``, in place.

    Copied, not mixed: nothing of the old values remains, whatever they were. Weights that the
    caller has frozen stay: no training on these records made them what they are.

    Args:
        model: to be changed.
        fresh: of the same architecture.
        modules: submodules of ``model``, with all that is in them; by default everything.
    """
    chosen = {part for one in (modules or (model,)) for part in one.modules()}
    theirs = dict(fresh.named_modules())
    for name, module in model.named_modules():
        if module not in chosen:
            continue
        for own, source in (
            (module.named_parameters(recurse=False), theirs[name].named_parameters(recurse=False)),
            (module.named_buffers(recurse=False), theirs[name].named_buffers(recurse=False)),
        ):
            values = dict(source)
            for key, value in own:
                if value.requires_grad or not isinstance(value, nn.Parameter):
                    value.copy_(values[key])
