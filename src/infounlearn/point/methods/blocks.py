"""The blocks of a network, in order: what "the last k layers" of a paper means for any module."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

_PLAIN = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)


@dataclass(frozen=True)
class Block:
    """Modules that are frozen or trained together: a layer or a residual block, and its norms."""

    name: str
    modules: tuple[nn.Module, ...]


def blocks(model: nn.Module) -> list[Block]:
    """The blocks of a network in the order in which its modules were made; the last is the head.

    The rule:

    - Modules without weights (activations, pooling, dropout) do not count.
    - The network itself is opened, and a wrapper around a single module with it. So are
      ``nn.Sequential``, ``nn.ModuleList`` and ``nn.ModuleDict``, and every module that holds a
      stack: one of these with two or more composite modules of the same class (the encoder of a
      transformer).
    - Any other module is one block: a layer, a residual block, a container class of one's own.
    - A norm belongs to the block before it.

    Weights that an opened module holds itself (class tokens, positions) belong to no block. A
    network whose modules are not made in the order in which they are used needs its layers named.
    """
    found: list[Block] = []
    seen: set[nn.Module] = set()
    for name, module in _units("", model, True):
        if module in seen:
            continue
        seen.add(module)
        if isinstance(module, _NORMS) and found:
            before = found.pop()
            found.append(Block(before.name, (*before.modules, module)))
        else:
            found.append(Block(name, (module,)))
    return found


def _units(name: str, module: nn.Module, top: bool) -> Iterator[tuple[str, nn.Module]]:
    inner = _children(module)
    if inner and (top or type(module) in _PLAIN or _holds_a_stack(module)):
        for key, child in inner:
            yield from _units(f"{name}.{key}" if name else key, child, top and len(inner) == 1)
    elif _has_weights(module):
        yield name, module


def _children(module: nn.Module) -> list[tuple[str, nn.Module]]:
    return [(name, child) for name, child in module.named_children() if _has_weights(child)]


def _has_weights(module: nn.Module) -> bool:
    """Weights, or statistics of a norm that has none."""
    kinds = nn.modules.batchnorm._NormBase
    return any(True for _ in module.parameters()) or any(
        isinstance(one, kinds) for one in module.modules()
    )


def _holds_a_stack(module: nn.Module) -> bool:
    return any(_is_stack(one) for one in module.modules())


def _is_stack(module: nn.Module) -> bool:
    if not isinstance(module, _PLAIN):
        return False
    composites = [
        type(child)
        for _, child in _children(module)
        if _children(child) and not isinstance(child, _PLAIN)
    ]
    return any(count > 1 for count in Counter(composites).values())
