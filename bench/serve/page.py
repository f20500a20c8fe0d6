"""Drives the server's page in headless Chromium: light, dark and on a phone; takes a sample and a file, asks, and sees each model's answer.
Nothing may be loaded from elsewhere, and nothing may be wider than the screen. Needs playwright and chromium.

    python page.py URL [FOLDER for screenshots]"""
import struct, sys, tempfile, zlib
from playwright.sync_api import sync_playwright

url, shots = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None


def png(side):
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes([40, 120, 200]) * side for _ in range(side))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def look(browser, name, **context):
    page = browser.new_context(**context).new_page()
    page.set_default_timeout(60_000)
    said, asked = [], []
    page.on("console", lambda m: said.append(m.text))
    page.on("pageerror", lambda e: said.append(str(e)))
    page.on("request", lambda r: asked.append(r.url))
    page.goto(url)
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
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth"), f"{name}: wider than the screen"
    assert not said, said
    assert all(a.startswith((url, "data:", "blob:")) for a in asked), asked
    if shots:
        page.screenshot(path=f"{shots}/{name}.png", full_page=True)
    page.context.close()
    return models


with sync_playwright() as p:
    browser = p.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
    models = [look(browser, "light", viewport={"width": 1100, "height": 900}), look(browser, "dark", color_scheme="dark"),
              look(browser, "phone", viewport={"width": 390, "height": 844})]
    browser.close()
print(f"the page: {models[0]} answers side by side; light, dark, phone; by keyboard")
