"""What is kept outside the repository: what was fetched, by digest, and the results of earlier runs."""
