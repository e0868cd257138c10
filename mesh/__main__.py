"""`python -m mesh` is the command `bacalhau-mesh`."""

from __future__ import annotations

from mesh.edge.cli.app import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
