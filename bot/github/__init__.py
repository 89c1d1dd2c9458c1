"""The GitHub side: App authentication, reads through PyGithub, writes through httpx."""
