"""Where data come from and results go: content-addressed blobs, providers behind one port."""
