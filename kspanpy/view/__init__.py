"""Finished spans as a person reads them: stories as trees in the terminal. Nothing here changes or sends a span."""

from kspanpy.view.listing import listing
from kspanpy.view.stories import Fold, Node, Story, stories
from kspanpy.view.tree import tree

__all__ = ["Fold", "Node", "Story", "listing", "stories", "tree"]
