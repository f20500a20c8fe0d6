"""Drives the server's page in headless Chromium: light, dark and on a phone; takes a sample and a file, asks, and sees each model's answer.

    python server_page.py URL [FOLDER for screenshots]"""
import struct, sys, tempfile, zlib
import browser

url, shots = sys.argv[1].rstrip("/"), sys.argv[2] if len(sys.argv) > 2 else None

answering = set()


def png(side):
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes([40, 120, 200]) * side for _ in range(side))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def no_samples(page):
    """Why there are no samples stands on the page."""
    page.route("**/samples", lambda r: r.fulfill(json={"samples": [], "note": "no samples of x: its data are gone"}))
    page.reload()
    page.wait_for_selector("#problem:not([hidden])")
    assert "its data are gone" in page.inner_text("#problem")
    page.unroute("**/samples")
    page.reload()


def drive(page, form):
    no_samples(page)
    page.wait_for_selector("article")
    models = page.locator("article").count()
    page.focus("#question")
    page.keyboard.type("what is this")
    page.keyboard.press("Enter")
    page.wait_for_selector("#problem:not([hidden])")
    assert "picture" in page.inner_text("#problem")

    questions = 0
    for take in ("sample", "file"):
        if take == "sample":
            if page.locator("#sample-list button").count() == 0:
                continue
            page.focus("#sample-list button")
            page.keyboard.press("Enter")
            page.wait_for_selector("#suggestions button")
            page.focus("#suggestions button")
        else:
            with tempfile.NamedTemporaryFile(suffix=".png") as file:
                file.write(png(32))
                file.flush()
                page.set_input_files("#file", file.name)
                page.wait_for_selector("#picture[alt$='.png']")
            page.focus("#question")
        page.keyboard.press("Enter")
        questions += 1
        page.wait_for_selector(f"#history-rows tr:nth-child({questions})")
        assert page.locator("article .said:not(.bad):not(.none)").count() == models, page.inner_text("#answers")
        assert page.locator("article dd:last-child").count() == models
    answering.add(models)


browser.look(url + "/", drive, "server", shots, forms=("light", "dark", "phone"))
print(f"the server's page: {answering.pop()} answers side by side; light, dark, phone; by keyboard")
