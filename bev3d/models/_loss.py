"""The detector's loss: what a configuration asks for, weighed and added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from bev3d.config import Config
from bev3d.losses import CompositeLoss, CompositeResult
from bev3d.models._anchor_loss import AnchorTerms
from bev3d.models._centre_loss import CentreTerms
from bev3d.models._targets import DetectionTargets

__all__ = ["DetectionLoss"]


class DetectionLoss(nn.Module):
    """Weighted sum of the terms that a configuration asks for.

    **Centre heads.** With N_t the number of objects of task t in the batch, at least 1, a term is the sum over the
    tasks of its own sum / N_t (CenterPoint, Yin et al. 2021, arXiv 2006.11275). A batch that is spread over processes
    or taken in parts gives the same loss where it is counted over all of it: see :meth:`counts`.

    * ``heatmap``: penalty-reduced focal loss of all cells
    * ``regression/offset``, ``height``, ``log_size``, ``heading``: ``regression_loss`` at the objects' cells, times
      the weight of the name; ``regression/velocity``: L1, or Huber with delta d, e²/2d within it and abs(e) - d/2
      beyond
    * ``iou``: rotated overlap loss, ``corner``: distance of corners in metres, mean over the eight, and
      ``gaussian``: distance of Gaussians, of the boxes decoded there; where their weight is not 0
    * ``iou_quality``: predicted overlap against 2 IoU - 1 of the decoded box, which gets no gradient from it (CIA-SSD,
      Zheng et al. 2021, arXiv 2012.03015); with ``iou_head``

    **Anchor head** (SECOND, Yan et al. 2018; PointPillars, arXiv 1812.05784). A term is the mean over the samples of
    its own sum / N, N the positive anchors of the sample, at least 1:

    * ``classification``: sigmoid focal loss of the positive and negative anchors
    * ``regression/...``: ``regression_loss`` of the encoded boxes, for ``heading`` of the sine of the difference
    * ``direction``: cross entropy of the heading's sector
    * ``iou``, ``corner`` and ``gaussian`` of the decoded boxes

    Without objects all but ``heatmap`` and ``classification`` are 0, with their graph.

    Args:
        config: weights, kinds and the grid.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.terms: AnchorTerms | CentreTerms
        self.terms = AnchorTerms(config) if config.head == "anchor" else CentreTerms(config)
        self.composite = CompositeLoss(self.terms.losses())

    def counts(self, targets: DetectionTargets) -> Tensor:
        """What sums are divided by, float32: (T,) objects of each task, which may be 0; anchor head: (1,) samples."""
        return self.terms.counts(targets)  # type: ignore[arg-type]  # each checks the kind it was given

    def forward(
        self,
        outputs: Sequence[Mapping[str, Tensor]],
        targets: DetectionTargets,
        *,
        counts: Tensor | None = None,
    ) -> CompositeResult:
        """Loss of a batch.

        Args:
            outputs: of the configuration's :class:`bev3d.models.Detector`.
            targets: of :func:`bev3d.models.make_targets` for the same batch, on the outputs' device.
            counts: what the sums are divided by, > 0; None: :meth:`counts`, at least 1.

        Returns:
            ``total`` with its graph, and the terms by name, detached.

        Raises:
            TypeError: targets of another kind of head.
        """
        counts = self.counts(targets).clamp(min=1) if counts is None else counts
        batch = self.terms.prepare(outputs, targets, counts)  # type: ignore[arg-type]
        return self.composite(dict.fromkeys(self.composite.weights, (batch,)))
