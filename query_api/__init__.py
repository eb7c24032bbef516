"""The query API: four products' metric endpoints over one store, as a Flask application."""

from query_api.app import create_app

__all__ = ["create_app"]
