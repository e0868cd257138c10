"""The HTTP API of a node: Bacalhau's shapes, and mesh-only calls under /api/v1/mesh."""
