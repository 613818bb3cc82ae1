"""What changes in the clusters between two states of a repository: object by object, field by field."""

from gitops_layout.diff.compare import DeliveryDiff, compare
from gitops_layout.diff.effects import Effect, What, effects
from gitops_layout.diff.objects import FieldChange, ObjectChange, field_changes, object_changes

__all__ = [
    "DeliveryDiff",
    "Effect",
    "FieldChange",
    "ObjectChange",
    "What",
    "compare",
    "effects",
    "field_changes",
    "object_changes",
]
