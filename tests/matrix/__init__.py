"""Every step of every way to move a VM, times everything that can go wrong at it: nothing lost, nothing twice.

`python -m tests.matrix` runs all of it against labs of its own and writes docs/reliability.md; a sample is an ordinary test.
"""
