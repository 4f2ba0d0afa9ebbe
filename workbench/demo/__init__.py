"""The main job on real data: which flights from New York will be late?"""

from workbench.demo.story import run

__all__ = ["run"]
