"""The dashboard: server-rendered pages, small ES modules, data through ``/api/v1``.

``pages`` serves the pages, ``assets`` their scripts and styles, ``login`` the way in on a protected server. Templates are
in ``query_api/templates``, everything the browser loads in ``query_api/static``.
"""

from query_api.dashboard.pages import blueprint

__all__ = ["blueprint"]
