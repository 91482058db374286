"""A network with its auxiliary classifiers, as wrappers that follow `forward` need it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from zoo.classifier import Classifier

__all__ = ["WithAuxiliary"]


class WithAuxiliary(nn.Module):
    """`forward_train` as a forward: `DistributedDataParallel`, `DataParallel` and compilers look at nothing else.

    >>> import zoo
    >>> network = WithAuxiliary(zoo.create("googlenet:auxiliary=true"))  # DistributedDataParallel(network), then

    Around the network itself DDP would wait for the gradients of heads that no logit depends on.

    Args:
        model: the network that is trained, here under `model`.
        left_out: answer without the auxiliary classifiers all the same.

    Shape:
        images: as the network takes them -> (logits, *auxiliary logits), each (N, num_classes).
    """

    def __init__(self, model: Classifier, *, left_out: bool = False) -> None:
        super().__init__()
        self.model = model
        self.left_out = left_out

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return (self.model(images),) if self.left_out else self.model.forward_train(images)
