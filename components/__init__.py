"""What Pulumi is told: this package declares, and never decides."""
