"""Serving agents and workflows over A2A 1.0; `orchestration.a2a_server.app.a2a_app` does it."""
