"""Engines: WebAssembly in warm child processes, and the scripted fake."""
