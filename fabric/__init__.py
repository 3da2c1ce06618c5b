"""The Fibre Channel fabrics between the new hosts and the old array: what has to be zoned, and how it gets there.

`zoning` decides and is pure; one module per switch family: `brocade` acts, `commands` only writes down what people type in.
"""
