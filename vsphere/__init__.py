"""vSphere as the migration sees it: the only package that imports pyVmomi. MoRefs never leave it."""
