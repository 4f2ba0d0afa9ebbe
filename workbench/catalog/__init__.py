"""What the project defines: tables, views and their versions, deployments, API keys, and where features come from.

Every noun is a module of functions whose first parameter is the :class:`~workbench.storage.Storage`; every change is
one transaction of the project's database.
"""
