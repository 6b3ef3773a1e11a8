"""The composition root: settings in, a running service, a recording or a telling out. It wires; what it wires decides.

Nothing is imported here, so that `signals` is in place before the large imports of `service`.
"""
