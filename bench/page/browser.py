"""Shows a page in headless Chromium in four forms, light, dark, on a phone and in print, and holds in each that nothing is said on the console,
nothing is loaded from elsewhere, nothing is wider than the screen, and every text stands out from what is behind it. Needs playwright and chromium."""
import os, shutil
from playwright.sync_api import sync_playwright

FORMS = {
    "light": dict(viewport={"width": 1200, "height": 900}),
    "dark": dict(viewport={"width": 1200, "height": 900}, color_scheme="dark"),
    "phone": dict(viewport={"width": 390, "height": 844}, device_scale_factor=2, has_touch=True),
    "print": dict(viewport={"width": 800, "height": 1100}),
}

# The least contrast of a text that is shown, as WCAG reckons it, and that text. What is transparent shows what is behind it.
CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const rgba = color => {
    if (!known.has(color)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      known.set(color, [...canvas.getImageData(0, 0, 1, 1).data]);
    }
    return known.get(color);
  };
  const light = c => { const [r, g, b] = c.slice(0, 3).map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const behind = e => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] > 250) return c; } return [255, 255, 255, 255]; };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let least = 21, where = "";
  for (let n = walker.nextNode(); n; n = walker.nextNode()) {
    const e = n.parentElement, style = getComputedStyle(e);
    if (!n.data.trim() || !e.getClientRects().length || ["SCRIPT", "STYLE", "OPTION"].includes(e.tagName) || e.closest(":disabled, [hidden]")) continue;
    const [a, b] = [light(rgba(e.namespaceURI.endsWith("svg") ? style.fill : style.color)), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < least) { least = ratio; where = e.tagName + " " + n.data.trim().slice(0, 40); }
  }
  return [least, where];
}"""


def chromium():
    """The browser's path, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def look(url, drive, name, shots=None, forms=FORMS, offline=False):
    """Calls drive(page, form) in each form, and then holds what is said above; shots is a folder for screenshots."""
    allowed = (url.rsplit("/", 1)[0] if url.startswith("http") else url, "data:", "blob:")
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        for form in forms:
            context = browser.new_context(offline=offline, **FORMS[form])
            page = context.new_page()
            page.set_default_timeout(60_000)
            said, asked = [], []
            page.on("console", lambda m: said.append(m.text))
            page.on("pageerror", lambda e: said.append(str(e)))
            page.on("request", lambda r: asked.append(r.url))
            if form == "print":
                page.emulate_media(media="print")
            page.goto(url)
            drive(page, form)
            at = f"{name}, {form}"
            assert not page.evaluate("document.documentElement.scrollWidth > innerWidth"), f"{at}: wider than the screen"
            least, where = page.evaluate(CONTRAST)
            assert least >= 4.5, f"{at}: the contrast of {where!r} is {least:.2f}, below 4.5"
            assert not said, f"{at}: {said}"
            assert all(a.startswith(allowed) for a in asked), f"{at}: {asked}"
            if shots:
                os.makedirs(shots, exist_ok=True)
                page.screenshot(path=f"{shots}/{name}-{form}.png", full_page=True)
                if form == "print":
                    page.pdf(path=f"{shots}/{name}.pdf", format="A4", margin=dict(top="15mm", bottom="15mm", left="14mm", right="14mm"))
            context.close()
        browser.close()
