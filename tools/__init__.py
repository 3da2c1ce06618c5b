"""What prepares, shows and measures the project; nothing here is needed to run it on a site."""
