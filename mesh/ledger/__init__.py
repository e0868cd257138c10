"""How records are carried, proved and kept: signed envelopes in one document per (author, epoch).

Pure. What a record means is `scheduler`'s; where bytes are flushed is `mesh.node.store`'s.
"""
