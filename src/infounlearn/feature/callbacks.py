"""The penalty inside a training framework, without importing any.

A LightningModule holds the penalty as a submodule, which its checkpoints then carry, and adds it in
``training_step``; nothing more is needed::

    class Model(LightningModule):
        def __init__(self):
            super().__init__()
            self.penalty = InformationPenalty(gamma=2.0)

        def training_step(self, batch, _):
            x, y, z = batch
            logits = self.net(x)
            return cross_entropy(logits, y) + self.penalty(logits, z)

A trainer that computes its loss itself, as transformers.Trainer does, is given
:class:`PenalizedLoss` as a first base::

    class FairTrainer(PenalizedLoss, Trainer):
        penalty = InformationPenalty(max_information=1e-3)
        sensitive = "sex"

with ``remove_unused_columns=False``, so that the column reaches the loss. Such a trainer saves the
model and not the penalty: keep ``trainer.penalty.state_dict()`` along with a checkpoint, or resume
with fresh memory, which fills within some ten steps (a budget's weight climbs anew).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from infounlearn.errors import InputError
from infounlearn.feature.penalty import InformationPenalty


class PenalizedLoss:
    """Mixin: the loss of a trainer's ``compute_loss`` plus an information penalty.

    The sensitive entries of a batch are taken out before the model sees it. In evaluation (a model
    in eval mode) the loss is the trainer's own. A penalty is a part of one run: give every trainer
    its own, as an attribute of the instance, where one process trains several.

    Attributes:
        penalty: added to the loss.
        sensitive: key of the groups in a batch, or several keys (then named attributes).
        given: key of the strata, or None. It stays in the batch: it may be the target.
    """

    penalty: InformationPenalty
    sensitive: str | tuple[str, ...] = "sensitive"
    given: str | None = None

    def compute_loss(
        self, model: Any, inputs: Mapping[str, Any], return_outputs: bool = False, **more: Any
    ) -> Any:
        """The trainer's loss with the penalty, and its outputs where asked for.

        Args:
            model: as the trainer's own.
            inputs: batch; the caller's mapping is not changed.
            return_outputs: whether to return (loss, outputs).
            more: handed on.

        Raises:
            InputError: a key is missing, or the outputs hold no logits.
        """
        keys = (self.sensitive,) if isinstance(self.sensitive, str) else self.sensitive
        absent = [key for key in (*keys, self.given) if key is not None and key not in inputs]
        if absent and model.training:
            raise InputError(
                f"PenalizedLoss: the batch lacks {absent}, it holds {sorted(inputs)}: add the "
                "columns to the data set, and keep the trainer from removing unused ones "
                "(remove_unused_columns=False)"
            )
        rest = {key: value for key, value in inputs.items() if key not in keys}
        trainer: Any = super()
        loss, outputs = trainer.compute_loss(model, rest, return_outputs=True, **more)
        if model.training:
            z = {key: inputs[key] for key in keys}
            strata = None if self.given is None else inputs[self.given]
            groups = z[keys[0]] if isinstance(self.sensitive, str) else z
            loss = loss + self.penalty(_logits(outputs), groups, given=strata)
        return (loss, outputs) if return_outputs else loss


def _logits(outputs: Any) -> Tensor:
    """The logits of a model's outputs: a field, an entry, the second of a tuple, or themselves."""
    if isinstance(outputs, Tensor):
        return outputs
    if isinstance(outputs, Mapping) and "logits" in outputs:
        return outputs["logits"]
    if isinstance(getattr(outputs, "logits", None), Tensor):
        return outputs.logits
    if isinstance(outputs, tuple | list):
        tensors = [part for part in outputs if isinstance(part, Tensor) and part.dim() > 0]
        if len(tensors) == 1:
            return tensors[0]
    raise InputError(
        f"PenalizedLoss: outputs of type {type(outputs).__name__} hold no logits: return a mapping "
        "or an object with logits"
    )
