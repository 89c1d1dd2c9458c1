"""One bundle replaces another, repository by repository, and is watched afterwards."""
