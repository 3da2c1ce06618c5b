"""Dynamic providers. Their dotted paths are stored in every stack's state: never rename or move one."""
