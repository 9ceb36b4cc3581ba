"""Saving uploaded pictures and finding their files again."""

import hashlib
import os
import re
import secrets
from pathlib import Path

from flask import current_app
from sqlalchemy import select

from app import clock
from app.audit import record_audit
from app.config import Settings
from app.db import db, insert_once, make_public_id, retry_conflicts, transaction
from app.errors import NotFound
from app.media.models import MediaFile
from app.media.pictures import LARGEST_UPLOAD, MadePicture, PictureRefused, list_widths, make_picture

__all__ = ["LARGEST_UPLOAD", "PictureRefused", "find_picture", "list_variants", "read_variant", "save_picture"]

LONGEST_ALT_TEXT = 300
JPEG = "image/jpeg"
TYPES = {"jpg": JPEG, "webp": "image/webp"}
SHA256 = re.compile(r"[0-9a-f]{64}")
VARIANT_NAME = re.compile(r"([1-9][0-9]{1,3})\.(jpg|webp)")


@retry_conflicts
def save_picture(*, content: bytes, alt_text: str = "", uploaded_by_id: int | None = None) -> MediaFile:
    """Keep an uploaded picture; the same bytes again give the same row. Raises PictureRefused.

    The files are written before the row: a row never names a file that is not there.
    """
    digest = hashlib.sha256(content).hexdigest()
    known = find_picture(sha256=digest)
    # A database that was restored without its folder has the row only.
    if known is not None and (_folder() / known.path).exists():
        return known
    made = make_picture(content)
    _write_files(digest, made)
    with transaction() as session:
        values = {
            "public_id": make_public_id("med"),
            "sha256": digest,
            "mime": JPEG,
            "width": made.width,
            "height": made.height,
            "byte_count": len(made.variants[-1].content),
            "alt_text": alt_text.strip()[:LONGEST_ALT_TEXT],
            "uploaded_by_id": uploaded_by_id,
            "created_at": clock.now(),
        }
        if insert_once(MediaFile, values, unique=["sha256"]) is not None:
            size = {"width": made.width, "height": made.height}
            record_audit(
                action="picture.uploaded", subject_type="picture", subject_id=str(values["public_id"]), after=size
            )
        return session.scalars(select(MediaFile).where(MediaFile.sha256 == digest)).one()


def find_picture(*, sha256: str) -> MediaFile | None:
    """The picture of these uploaded bytes."""
    return db.session().scalars(select(MediaFile).where(MediaFile.sha256 == sha256)).one_or_none()


def read_variant(*, sha256: str, name: str) -> tuple[bytes, str]:
    """A variant's bytes and content type. Raises NotFound; only names that we give reach the disk."""
    found = VARIANT_NAME.fullmatch(name)
    if found is None or not SHA256.fullmatch(sha256):
        raise NotFound
    try:
        return (_folder() / sha256 / name).read_bytes(), TYPES[found[2]]
    except FileNotFoundError as error:
        raise NotFound from error


def list_variants(path: str) -> list[tuple[str, int]]:
    """The WebP variants of a picture, (path below /media/, width), from its MediaFile.path; none of what is no such."""
    sha256, _, name = path.partition("/")
    found = VARIANT_NAME.fullmatch(name)
    if found is None or not SHA256.fullmatch(sha256):
        return []
    return [(f"{sha256}/{width}.webp", width) for width in list_widths(int(found[1]))]


def _write_files(digest: str, made: MadePicture) -> None:
    folder = _folder() / digest
    folder.mkdir(parents=True, exist_ok=True)
    for variant in made.variants:
        # Under another name first: nobody may be served half a file.
        partial = folder / f".{variant.name}.{os.getpid()}.{secrets.token_hex(4)}"
        partial.write_bytes(variant.content)
        partial.replace(folder / variant.name)


def _folder() -> Path:
    settings: Settings = current_app.config["SETTINGS"]
    return settings.instance_path / "media"
