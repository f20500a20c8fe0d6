"""Files that say how their picture is to be turned, in every form that PIL reads, and in forms that it passes over."""
import zlib
import numpy as np
from files import jpeg, picture_tiff, png, rgb, rgb_rows, tiff, webp

EXIF, XMP = 8, 4  # flags of WebP
TAG = 0x112
NAME = b"http://ns.adobe.com/xap/1.0/\0"


def exif(value, kind=3, order=b"II", before={}, at=None):
    return tiff(order, {**before, TAG: (kind, value if isinstance(value, (list, bytes)) else [value])}, b"", at)


def xmp(value, form=b'<x tiff:Orientation="%s"/>'):
    return b"<x:xmpmeta>" + form % value + b"</x:xmpmeta>"


def profile(blob):
    return b"\nexif\n%8d\n" % len(blob) + b"\n".join(blob.hex().encode()[i:i + 72] for i in range(0, 2 * len(blob), 72)) + b"\n"


def write(case):
    E = b"Exif\0\0"
    for o in range(1, 9):
        for order in (b"II", b"MM"):
            blob, n = exif(o, order=order), f"{o} {order.decode()}"
            case(f"orientation {n} in jpeg", jpeg((0xe1, E + blob)), 2)
            case(f"orientation {n} in png", png(2, 8, rgb_rows, [(b"eXIf", blob)]))
            case(f"orientation {n} in webp", webp((b"EXIF", blob), flags=EXIF))
            case(f"orientation {n} in tiff", picture_tiff(order, 2, 3, 8, rgb.tobytes(), {TAG: (3, [o])}))
    blob = exif(6)
    several = {0x10e: (2, b"a description that is longer than four bytes\0"), 0x110: (99, b"abcd")}
    forms = {  # of the same note
        "long": exif(6, 4), "signed byte": exif(6, 6), "signed short": exif(6, 8), "signed long": exif(6, 9), "float": exif([6.0], 11),
        "double": exif([6.0], 12), "rational": exif([12, 2], 5), "rational, no whole number": exif([13, 2], 5), "rational over zero": exif([6, 0], 5),
        "byte": exif(6, 1), "text": exif(b"6\0", 2), "bytes": exif(6, 7), "long, big-endian": exif(6, 4, b"MM"),
        "two": exif([6, 3]), "four, elsewhere": exif([6, 3, 1, 1]), "none": exif([]), "nine": exif(9), "zero": exif(0), "far away": exif(6, at=300),
        "behind others": exif(6, before=several), "twice": exif(3)[:8] + b"\2\0" + exif(3)[10:22] + exif(6)[10:],
        "before a value that is outside": exif(6)[:8] + b"\2\0" + exif(6)[10:22] + b"\x0e\x01\2\0\xff\0\0\0\xff\xff\0\0" + b"\0" * 4,
        "after a value that is outside": exif(6)[:8] + b"\2\0" + b"\x0e\x01\2\0\xff\0\0\0\xff\xff\0\0" + exif(6)[10:],
        "cut short": exif(6)[:18], "fewer than announced": exif(6)[:8] + b"\x30\0" + exif(6)[10:], "first bytes wrong": b"II\0*" + exif(6)[4:],
        "directory outside": exif(6)[:4] + b"\xff\xff\0\0", "empty": b"",
    }
    for name, form in forms.items():
        case(f"exif {name}", png(2, 8, rgb_rows, [(b"eXIf", form)]))
    case("jpeg: prefix twice", jpeg((0xe1, E + E + blob)), 2)
    case("jpeg: behind other segments", jpeg((0xe0, b"JFIF\0\1\1\0\0\1\0\1\0\0"), (0xe2, b"ICC_PROFILE\0\1\1xxxx"), (0xfe, b"words"), (0xe1, E + blob)), 2)
    case("jpeg: in two segments", jpeg((0xe1, E + blob[:15]), (0xe1, E + blob[15:])), 2)
    case("jpeg: fill bytes", jpeg((0xfe, b"words")).replace(b"\xff\xfe", b"\xff\xff\xff\xe1" + (len(E + blob) + 2).to_bytes(2, "big") + E + blob + b"\xff\xfe", 1), 2)
    case("jpeg: xmp", jpeg((0xe1, NAME + xmp(b"6"))), 2)
    case("jpeg: xmp as an element", jpeg((0xe1, NAME + xmp(b"8", b"<tiff:Orientation>%s</tiff:Orientation>"))), 2)
    case("jpeg: exif before xmp", jpeg((0xe1, NAME + xmp(b"6")), (0xe1, E + exif(3))), 2)
    case("jpeg: an exif of nine before xmp", jpeg((0xe1, NAME + xmp(b"6")), (0xe1, E + exif(9))), 2)
    case("jpeg: exif without the tag", jpeg((0xe1, NAME + xmp(b"6")), (0xe1, E + tiff(b"II", {0x110: (3, [1])}, b""))), 2)
    case("jpeg: exif that cannot be read before xmp", jpeg((0xe1, NAME + xmp(b"6")), (0xe1, E + b"XX" + exif(3)[2:])), 2)
    case("jpeg: empty exif before xmp", jpeg((0xe1, NAME + xmp(b"6")), (0xe1, E)), 2)
    case("jpeg: xmp of nine", jpeg((0xe1, NAME + xmp(b"9"))), 2)
    case("png: exif after the pixels", png(2, 8, rgb_rows, after=[(b"eXIf", blob)]))
    case("png: exif with prefix", png(2, 8, rgb_rows, [(b"eXIf", E + blob)]))
    raw = b"Raw profile type exif"
    for form, name in ((blob, ""), (E + blob, " with prefix")):
        case(f"png: raw profile{name}", png(2, 8, rgb_rows, [(b"tEXt", raw + b"\0" + profile(form))]))
    case("png: raw profile, compressed", png(2, 8, rgb_rows, [(b"zTXt", raw + b"\0\0" + zlib.compress(profile(blob)))]))
    case("png: exif before raw profile", png(2, 8, rgb_rows, [(b"tEXt", raw + b"\0" + profile(exif(3))), (b"eXIf", blob)]))
    case("png: text named exif", png(2, 8, rgb_rows, [(b"tEXt", b"exif\0" + blob)]))
    key = b"XML:com.adobe.xmp"
    case("png: xmp", png(2, 8, rgb_rows, [(b"iTXt", key + b"\0\0\0\0\0" + xmp(b"6"))]))
    case("png: xmp, compressed", png(2, 8, rgb_rows, after=[(b"iTXt", key + b"\0\1\0\0\0" + zlib.compress(xmp(b"6")))]))
    case("webp: exif with prefix", webp((b"EXIF", E + blob), flags=EXIF))
    case("webp: exif with prefix twice", webp((b"EXIF", E + E + blob), flags=EXIF))
    case("webp: exif of odd length", webp((b"EXIF", blob + b"\0"), flags=EXIF))
    case("webp: exif without its flag", webp((b"EXIF", blob)))
    case("webp: xmp", webp((b"XMP ", xmp(b"6")), flags=XMP))
    case("webp: xmp behind exif without the tag", webp((b"EXIF", tiff(b"II", {0x110: (3, [1])}, b"")), (b"XMP ", xmp(b"6")), flags=XMP | EXIF))
    for order in (b"II", b"MM"):
        case(f"tiff: long, {order.decode()}", picture_tiff(order, 2, 3, 8, rgb.tobytes(), {TAG: (4, [6])}))
        case(f"tiff: xmp, {order.decode()}", picture_tiff(order, 2, 3, 8, rgb.tobytes(), {700: (1, xmp(b"6"))}))
