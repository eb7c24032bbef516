"""Which tests run in one process when several run at a time (pytest-xdist)."""

from xdist.scheduler.loadfile import LoadFileScheduling

SHARED = ("tests/dashboard/",)
"""Folders whose files share what is dear to start, as a browser: each folder is for one process."""


class LoadFolderOrFile(LoadFileScheduling):
    """As ``--dist loadfile``, with all files of a folder together where they share."""

    def _split_scope(self, nodeid: str) -> str:
        shared = next((folder for folder in SHARED if nodeid.startswith(folder)), None)
        return shared or super()._split_scope(nodeid)
