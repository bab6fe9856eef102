"""The machine API: JSON-RPC 2.0 at a Unix socket or a websocket (docs/reference/api.md)."""
