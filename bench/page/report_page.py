"""Drives a run's report.html in headless Chromium, without a network: opens it in all forms, filters the gallery by mouse and keyboard, and reads it
without JavaScript.

    python report_page.py FILE [FOLDER for screenshots]"""
import pathlib, sys
from playwright.sync_api import sync_playwright
import browser

file, shots = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2] if len(sys.argv) > 2 else None
seen = {}


def asked(page):
    """The outcomes, tasks and marks of the questions that are shown, once all of them are."""
    while page.locator("#more").is_visible():
        page.click("#more button")
    return page.eval_on_selector_all(".asked", "all => all.filter(e => e.checkVisibility()).map(e => ({...e.dataset}))")


def whole(page):
    assert page.locator("section").count() >= 3 and page.locator("h1").count() == 1
    broken = page.eval_on_selector_all("img", "all => all.filter(i => !i.complete || !i.naturalWidth).length")
    assert broken == 0, f"{broken} pictures cannot be shown"
    empty = page.eval_on_selector_all("figure [role=img] svg, svg[role=img]", "all => all.filter(s => { const b = s.getBoundingClientRect(); return b.width < 50 || b.height < 30 }).length")
    assert empty == 0, f"{empty} charts are empty"


def drive(page, form):
    page.wait_for_load_state("load")
    page.eval_on_selector_all("img", "all => Promise.all(all.map(i => i.decode()))")
    whole(page)
    seen[form] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    if form == "print":
        assert not page.locator("nav").is_visible() and not page.locator("#filter").is_visible()
        return
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    if not page.locator("#gallery").count():
        return
    assert page.locator(".card:visible").count() <= 12
    everything = asked(page)
    assert page.locator(".card:visible").count() == page.locator(".card").count()
    said = page.locator("#shown")
    assert said.inner_text().startswith(f"{len(everything)} question"), said.inner_text()

    # By keyboard: keys choose in a list.
    page.focus("#by-outcome")
    page.keyboard.press("End")
    assert page.input_value("#by-outcome") == "both-right"
    assert all(a["outcome"] == "both-right" for a in asked(page))

    such = {"turned-wrong": lambda a: a["outcome"] == "turned-wrong", "changed": lambda a: "changed" in a,
            "student-wrong": lambda a: a["outcome"] in ("turned-wrong", "both-wrong"), "student-right": lambda a: a["outcome"] in ("turned-right", "both-right")}
    for value, is_such in such.items():
        page.select_option("#by-outcome", value)
        assert asked(page) == [a for a in everything if is_such(a)], value
    empty = page.eval_on_selector_all(".card", "all => all.filter(c => c.checkVisibility() && ![...c.querySelectorAll('.asked')].some(e => e.checkVisibility())).length")
    assert empty == 0, "a card without a question"
    page.select_option("#by-outcome", "")
    if page.locator("#by-task").count():
        tasks = {a["task"] for a in everything}
        for task in filter(None, tasks):
            page.select_option("#by-task", task)
            assert asked(page) == [a for a in everything if a["task"] == task]
    page.click("#filter button[type=reset]")
    page.wait_for_function(f"document.querySelectorAll('.asked:not([hidden])').length === {len(everything)}")

    for link in page.locator("nav a").all():  # each leads to its part
        link.focus()
        page.keyboard.press("Enter")
        assert page.evaluate("document.querySelector(location.hash).getBoundingClientRect().top") < page.viewport_size["height"]
    page.click("#filter button[type=reset]")
    page.evaluate("history.replaceState(null, '', location.pathname); scrollTo(0, 0)")


browser.look(file.as_uri(), drive, "report", shots, offline=True)
assert seen["light"] != seen["dark"], "dark is as light"
with sync_playwright() as p:  # all of it can be read without a script
    b = p.chromium.launch(executable_path=browser.chromium(), args=["--no-sandbox", "--disable-gpu"])
    page = b.new_context(java_script_enabled=False, offline=True).new_page()
    page.goto(file.as_uri())
    assert page.locator("#filter").count() == 0 or not page.locator("#filter").is_visible()
    assert page.locator(".card").count() == page.locator(".card:visible").count()
    b.close()
print(f"{file.name}: {', '.join(seen)}; the gallery filtered by outcome and task; by keyboard; without a network, and without a script")
