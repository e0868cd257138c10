"""One running member: trio shells that perform what the member decides, put together in `node`."""
