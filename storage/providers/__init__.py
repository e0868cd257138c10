"""Providers of input data: in the job, on this machine, in the mesh, and the shipped fake."""
