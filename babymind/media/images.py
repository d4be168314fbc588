"""Pictures made safe: decoded and encoded anew, so that nothing but their pixels is kept."""

import io
import warnings

from PIL import Image, ImageOps, UnidentifiedImageError

from babymind.errors import MediaRefusedError
from babymind.media.base import CleanImage

MAX_BYTES = 16_000_000
MAX_PIXELS = 50_000_000  # before decoding; larger is a bomb or a poster
DISPLAY_PIXELS = 1600  # the longer side
KINDS = ("JPEG", "PNG")


def clean(data: bytes) -> CleanImage:
    """Return a picture upright, no longer than 1600 pixels, as a JPEG without metadata.

    Raises:
        MediaRefusedError: It is not a JPEG or PNG picture, is broken, or is too large; the text is for staff.
    """
    if len(data) > MAX_BYTES:
        raise MediaRefusedError(f"The picture is larger than {MAX_BYTES // 1_000_000} MB.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns where we refuse below
            with Image.open(io.BytesIO(data), formats=KINDS) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise MediaRefusedError(f"The picture has more than {MAX_PIXELS // 1_000_000} million pixels.")
                picture.draft("RGB", (DISPLAY_PIXELS, DISPLAY_PIXELS))  # a JPEG decodes straight to a smaller size
                upright = ImageOps.exif_transpose(picture)
                upright.thumbnail((DISPLAY_PIXELS, DISPLAY_PIXELS))
                return _encoded(upright)
    except UnidentifiedImageError:
        raise MediaRefusedError("This is not a JPEG or PNG picture.") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise MediaRefusedError(f"The picture is broken ({type(error).__name__}).") from None


def _encoded(picture: Image.Image) -> CleanImage:
    flat = Image.new("RGB", picture.size, "white")  # a new image carries no metadata, and no transparency
    seen = picture.convert("RGBA")
    flat.paste(seen, mask=seen.getchannel("A"))
    out = io.BytesIO()
    flat.save(out, "JPEG", quality=85, optimize=True)
    return CleanImage(data=out.getvalue(), content_type="image/jpeg", width=flat.width, height=flat.height)
