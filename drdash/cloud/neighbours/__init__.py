"""The APIs beside the DR API: recovery points, tasks, screenshots. A credential may see them or not: a refusal there is
normal, and nothing depends on what they say.
"""
