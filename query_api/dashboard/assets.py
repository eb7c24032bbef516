"""Scripts and styles: read once, addressed by the digest of all of them, so that browsers may keep them for ever."""

import gzip
import hashlib
from pathlib import Path
from typing import NamedTuple

from flask import Response, request
from werkzeug.exceptions import NotFound

FOLDER = Path(__file__).parent.parent / "static"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".txt": "text/plain"}
_FOR_EVER = "public, max-age=31536000, immutable"


class Asset(NamedTuple):
    """One file, as it is and compressed."""

    content: bytes
    compressed: bytes
    mimetype: str


class Assets:
    """All files below a folder. Modules import each other by relative paths, which keep the digest in their address."""

    def __init__(self, folder: Path = FOLDER) -> None:
        files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.suffix in _TYPES}
        self._assets = {
            name: Asset(content, gzip.compress(content, 9, mtime=0), _TYPES[path.suffix])
            for name, path in files.items()
            for content in [path.read_bytes()]
        }
        digest = hashlib.sha256()
        for name, asset in self._assets.items():
            digest.update(f"{name}\0{len(asset.content)}\0".encode() + asset.content)
        self.digest = digest.hexdigest()[:16]

    def url(self, name: str) -> str:
        """Where a file is served. Raises KeyError for one that is not there."""
        _ = self._assets[name]
        return f"/ui/assets/{self.digest}/{name}"

    def response(self, digest: str, name: str) -> Response:
        """One file. Raises NotFound; an address with another version's digest is not found either."""
        asset = self._assets.get(name)
        if asset is None or digest != self.digest:
            raise NotFound
        gzipped = request.accept_encodings.quality("gzip") > 0
        response = Response(asset.compressed if gzipped else asset.content, mimetype=asset.mimetype)
        response.headers["Cache-Control"] = _FOR_EVER
        response.vary.add("Accept-Encoding")
        if gzipped:
            response.headers["Content-Encoding"] = "gzip"
        return response
