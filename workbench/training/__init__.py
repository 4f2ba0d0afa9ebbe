"""Training sets: a spine with the features of several views, and a label, as of each row's own time."""

from workbench.training.joined import TrainingSet, training_set
from workbench.training.spine import Spine

__all__ = ["Spine", "TrainingSet", "training_set"]
