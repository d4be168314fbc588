"""A picture is made anew of its pixels, or refused; a file is kept whole under a name of ours."""

import io
from pathlib import Path

import pytest
from PIL import Image

from babymind.errors import ConfigurationError, MediaRefusedError, NotFoundError
from babymind.media.files import ObjectMediaStore
from babymind.media.images import DISPLAY_PIXELS, clean


def picture(size: tuple[int, int] = (60, 30), kind: str = "JPEG", mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, "red").save(out, kind, **options)
    return out.getvalue()


def with_gps() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 8
    exif.get_ifd(0x8825)[2] = (51.0, 30.0, 0.0)
    return picture(exif=exif)


@pytest.mark.fault(42, 43)
def test_a_photo_is_turned_upright_and_loses_where_it_was_taken() -> None:
    made = clean(with_gps())

    with Image.open(io.BytesIO(made.data)) as seen:
        assert seen.size == (30, 60) == (made.width, made.height)
        assert not seen.getexif()
        assert "exif" not in seen.info
    assert b"Exif" not in made.data


def test_a_large_photo_is_made_as_large_as_a_screen_needs() -> None:
    made = clean(picture((4000, 3000)))

    assert (made.width, made.height) == (DISPLAY_PIXELS, DISPLAY_PIXELS * 3 // 4)


@pytest.mark.parametrize(
    ("kind", "mode"), [("PNG", "RGBA"), ("PNG", "P"), ("PNG", "L"), ("JPEG", "CMYK"), ("PNG", "I;16")]
)
def test_every_kind_of_jpeg_and_png_becomes_a_jpeg(kind: str, mode: str) -> None:
    data = io.BytesIO()
    Image.new(mode, (20, 10)).save(data, kind)

    assert clean(data.getvalue()).content_type == "image/jpeg"


@pytest.mark.fault(42, 44, 45)
@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a JPEG or PNG"),
        (b"<svg onload=alert(1)>", "not a JPEG or PNG"),
        (b"GIF89a" + b"\0" * 50, "not a JPEG or PNG"),
        (b"PK\x03\x04" + b"\0" * 50, "not a JPEG or PNG"),
        (picture()[:-200], "broken"),
        (picture(kind="PNG")[:60], "broken"),
        (b"\xff\xd8\xff" + b"\0" * 16_000_001, "larger than 16 MB"),
    ],
)
def test_anything_else_is_refused_in_words_for_staff(data: bytes, says: str) -> None:
    with pytest.raises(MediaRefusedError, match=says):
        clean(data)


@pytest.mark.fault(41)
def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    bomb = picture((9000, 9000), "PNG", "1")

    with pytest.raises(MediaRefusedError, match="more than 50 million pixels"):
        clean(bomb)


def test_a_file_is_kept_found_and_removed(tmp_path: Path) -> None:
    store = ObjectMediaStore((tmp_path / "a folder").as_uri())

    store.put("key", b"bytes")
    assert store.get("key") == b"bytes"
    store.delete("key")
    store.delete("key")
    with pytest.raises(NotFoundError):
        store.get("key")


@pytest.mark.parametrize("url", ["nonsense", "ftp://x/y", "file:///proc/nowhere/x"])
def test_an_odd_store_is_refused_with_the_settings_name(url: str) -> None:
    with pytest.raises(ConfigurationError, match="BABYMIND_MEDIA_URL"):
        ObjectMediaStore(url)
