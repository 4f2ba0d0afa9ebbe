"""The main job on real data: which flights from New York will be late?"""
