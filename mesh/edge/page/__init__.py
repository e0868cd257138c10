"""The page for browsers: HTML, style and script, served as they are by `mesh.edge.http.page`."""
