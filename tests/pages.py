"""Reads the course's pages as different people do: in light and dark, on a phone and on paper, with a screen reader's eyes,
and without network.

    python pages.py CHROMIUM FOLDER SCREENSHOTS
    python pages.py CHROMIUM FOLDER SCREENSHOTS plain

The second is for pages that nbconvert has made by itself.
"""

import re
import sys
from pathlib import Path

import axe_playwright_python
from jupyterlab import chromium, expect

FOLDER, SCREENSHOTS = Path(sys.argv[2]), Path(sys.argv[3])
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text()
# Of the coloured words of code, which are thousands of elements, one of each kind in text and in cells is enough.
ONE_OF_EACH_KIND = """() => {
    const seen = new Set();
    for (const word of document.querySelectorAll(".highlight span[class]")) {
        const kind = `${word.className} ${word.closest(".jp-CodeCell") !== null}`;
        if (seen.has(kind)) word.replaceWith(...word.childNodes);
        seen.add(kind);
    }
}"""
# What axe-core finds: the rule, and where.
FINDINGS = """async () => (await axe.run({ resultTypes: ["violations"] })).violations
    .filter(found => ["serious", "critical"].includes(found.impact))
    .flatMap(found => found.nodes.map(node => `${found.id}: ${node.target}: ${node.failureSummary}`))"""
PICTURES = "images => images.map(image => [image.alt || image.closest('td') !== null, image.complete && image.naturalWidth > 0])"
OUTSIDE = """() => [...document.querySelectorAll("body *")]
    .filter(element => element.getBoundingClientRect().right > innerWidth + 1)
    .filter(element => !element.closest("pre, table, .highlight, math"))
    .map(element => element.outerHTML.slice(0, 80))"""


def opened(browser, name, asked, **context):
    """A page without network. What it asks for, and what goes wrong in it, is added to `asked`."""
    page = browser.new_context(offline=True, **context).new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: asked.append(str(error)))
    page.goto(FOLDER.joinpath(name).as_uri())
    return page


def foreign(asked, name):
    own = (FOLDER.joinpath(name).as_uri(), "data:")
    return {address for address in asked if not address.startswith(own)}


def is_for_everybody(browser, name):
    """No serious finding of axe-core, words for each picture, and no request; in light and dark."""
    for scheme in ["light", "dark"]:
        asked = []
        page = opened(browser, name, asked, color_scheme=scheme)
        page.evaluate(ONE_OF_EACH_KIND)
        page.evaluate(AXE)
        findings = page.evaluate(FINDINGS)
        assert not findings, f"{name}, {scheme}: {findings[:3]}"
        pictures = page.locator("img").evaluate_all(PICTURES)
        assert pictures and all(has_words and is_there for has_words, is_there in pictures), f"{name}: {pictures}"
        assert not foreign(asked, name), f"{name}: {foreign(asked, name)}"
        page.screenshot(path=SCREENSHOTS / f"page_{Path(name).stem}_{scheme}.png")
        page.close()


def fits_a_phone_and_paper(browser, name):
    page = opened(browser, name, [], viewport={"width": 390, "height": 844}, color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, f"{name} is wider than a phone"
    assert not page.evaluate(OUTSIDE), f"{name}: {page.evaluate(OUTSIDE)[:3]}"
    page.screenshot(path=SCREENSHOTS / f"phone_{Path(name).stem}.png")
    page.emulate_media(media="print")
    # White paper, whatever the reader's screen prefers.
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background in ["rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"], f"{name} prints on {background}"
    page.close()


def plays(page):
    player = page.locator(".lab-player").first
    player.scroll_into_view_if_needed()
    player.get_by_role("button", name="Last frame").click()
    expect(player.locator(".place")).to_have_text("16 / 16")


def plays_drawings(page):
    player = page.locator(".lab-player").first
    player.scroll_into_view_if_needed()
    player.get_by_role("button", name="Last frame").click()
    screen = player.get_by_role("img")
    words = r"^The inside of the network during training, frame (\d+) of \1: after [1-9]\d* steps: loss "
    expect(screen).to_have_attribute("alt", re.compile(words))
    assert screen.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0


def draws_formulas(page):
    formulas = page.locator("math")
    heights = formulas.evaluate_all("formulas => formulas.map(formula => formula.getBoundingClientRect().height)")
    assert len(heights) > 5 and min(heights) > 5, heights
    text = page.locator("body").inner_text()
    assert "$" not in text and "\\frac" not in text and "\ue000" not in text


def stands_beside_its_rust(page):
    """The Python of a step is to the right of its Rust, begins as high, and can be folded."""
    python = page.locator("details").first
    expect(python.locator("pre")).to_be_visible()
    right, left = python.bounding_box(), page.locator(".jp-MarkdownCell:has(details) + .jp-CodeCell").first.bounding_box()
    assert left["x"] + left["width"] <= right["x"] and abs(left["y"] - right["y"]) < 40, (left, right)
    python.locator("summary").click()
    expect(python.locator("pre")).to_be_hidden()


def leads_to_all(page, names):
    links = page.locator("table a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert links == names, links
    expect(page.locator("tr:has(td)")).to_have_count(len(names))
    assert page.locator("th").all_inner_texts() == ["Part two: Beyond digits"]
    minutes = page.locator("td:last-child").all_inner_texts()
    assert all(text.endswith("\u00a0min") for text in minutes), minutes
    assert page.locator("td:first-child img").count() == len(names)
    expect(page.locator("img[alt^='Test error']")).to_have_count(1)


def read(browser):
    names = sorted(path.name for path in FOLDER.glob("*_*.html"))
    for name in [*names, "index.html"]:
        is_for_everybody(browser, name)
        fits_a_phone_and_paper(browser, name)
    plays(opened(browser, "03_architecture.html", []))
    plays_drawings(opened(browser, "11_inside_the_network.html", []))
    draws_formulas(opened(browser, "07_tensorflow_style.html", []))
    stands_beside_its_rust(opened(browser, "06_torch_style.html", [], viewport={"width": 1600, "height": 900}))
    leads_to_all(opened(browser, "index.html", []), names)


def read_plain(browser):
    """The formulas of these are drawn in the page."""
    for path in FOLDER.glob("*.html"):
        is_for_everybody(browser, path.name)
        fits_a_phone_and_paper(browser, path.name)
    plays(opened(browser, "03_architecture.html", []))
    plays_drawings(opened(browser, "11_inside_the_network.html", []))
    draws_formulas(opened(browser, "07_tensorflow_style.html", []))


with chromium(sys.argv[1]) as browser:
    expect.set_options(timeout=120_000)
    read_plain(browser) if sys.argv[4:] == ["plain"] else read(browser)
