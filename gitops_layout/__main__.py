"""`python -m gitops_layout`."""

from gitops_layout.cli import main

if __name__ == "__main__":
    main()
