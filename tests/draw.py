"""Draws the ten digits on the upper pad of a page with the mouse, and writes down what it says; then uses it by
keyboard, on a phone, and without scripts.

    python draw.py CHROMIUM PAGE ANSWERS
"""

import json
import math
import sys
from pathlib import Path

from jupyterlab import chromium, expect

PAGE = Path(sys.argv[2]).as_uri()


def arc(x, y, across, down, start, end):
    """Points on an ellipse; angles are in degrees, clockwise from the right."""
    angles = [math.radians(start + (end - start) * step / 24) for step in range(25)]
    return [(x + across * math.cos(angle), y + down * math.sin(angle)) for angle in angles]


# In pixels of the pad.
DIGITS = {
    0: [arc(140, 140, 55, 90, -90, 275)],
    1: [[(110, 85), (145, 50), (142, 230)]],
    2: [arc(138, 95, 52, 45, 190, 380) + [(85, 225), (205, 220)]],
    3: [arc(130, 95, 50, 42, 200, 440) + arc(130, 182, 60, 48, -90, 140)],
    4: [[(105, 55), (85, 150), (195, 145)], [(175, 60), (160, 232)]],
    5: [[(190, 55), (105, 58), (98, 125)] + arc(130, 172, 62, 55, -110, 130)],
    6: [[(170, 50), (120, 95), (95, 160)] + arc(140, 180, 46, 45, 180, -180)],
    7: [[(85, 62), (195, 58), (125, 232)]],
    8: [arc(140, 95, 40, 42, 90, -270) + arc(140, 184, 50, 47, -90, 270)],
    9: [arc(140, 105, 45, 48, 0, -360) + [(183, 110), (172, 232)]],
}
INK = """canvas => {
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    return btoa(Array.from(pixels.filter((_, at) => at % 4 === 3), byte => String.fromCharCode(byte)).join(""));
}"""
ANSWER = """host => host.answer && {
    image: [...host.answer.image],
    probabilities: [...host.answer.probabilities],
    maps: host.answer.maps.map(maps => [...maps]),
}"""


class Pad:
    def __init__(self, page, at):
        self.page = page
        self.host = page.locator(".lab-pad").nth(at)
        self.canvas = self.host.get_by_role("application", name="Pad to draw a digit on")
        self.heard = self.host.get_by_role("status")
        expect(self.heard).to_contain_text("The network says")

    def press(self, name):
        self.host.get_by_role("button", name=name, exact=True).click()

    def draw(self, strokes):
        box = self.canvas.bounding_box()
        for stroke in strokes:
            points = [(box["x"] + x * box["width"] / 280, box["y"] + y * box["height"] / 280) for x, y in stroke]
            self.page.mouse.move(*points[0])
            self.page.mouse.down()
            for point in points[1:]:
                self.page.mouse.move(*point)
            self.page.mouse.up()
        self.settle()

    def settle(self):
        """Waits for the picture that shows the answer."""
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def inked(self):
        """How many pixels hold ink."""
        return self.canvas.evaluate("""canvas => {
            const pixels = canvas.getContext("2d").getImageData(0, 0, 280, 280).data;
            return pixels.filter((ink, at) => at % 4 === 3 && ink).length;
        }""")

    def is_empty(self):
        expect(self.heard).to_have_text("Nothing drawn yet")
        assert self.inked() == 0
        assert self.host.evaluate(ANSWER) is None
        expect(self.host.get_by_role("img", name="The network sees nothing")).to_be_visible()
        return True


def open_page(browser, **context):
    """The pads of the page, which must ask nobody for anything."""
    page = browser.new_context(**{"viewport": {"width": 900, "height": 700}, **context}).new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: asked.append(str(error)))
    page.on("console", lambda message: asked.append(message.text))
    page.goto(PAGE)
    return page


def digits_are_drawn(browser):
    page = open_page(browser)
    pad, other = Pad(page, 0), Pad(page, 1)
    before = other.host.evaluate(ANSWER)
    answers = []
    for digit, strokes in DIGITS.items():
        pad.press("Clear the pad")
        pad.is_empty()
        pad.draw(strokes)
        answers.append({
            "digit": digit,
            "ink": pad.canvas.evaluate(INK),
            **pad.host.evaluate(ANSWER),
            "heard": pad.heard.text_content(),
            "percents": pad.host.locator("td:last-child").all_text_contents(),
        })
    Path(sys.argv[3]).write_text(json.dumps(answers))
    assert other.host.evaluate(ANSWER) == before, "the other pad has changed too"
    maps = [pad.host.get_by_role("img", name=name) for name in ["32 maps of 13 x 13", "64 maps of 5 x 5"]]
    assert [at.locator("canvas").count() for at in maps] == [32, 64]
    # The place of the largest value is yellow, as in plot::maps.
    yellow = maps[0].evaluate("""sheet => {
        const maps = sheet.getRootNode().host.answer.maps[0];
        const at = maps.indexOf(Math.max(...maps));
        const context = sheet.children[Math.floor(at / 169)].getContext("2d");
        return [...context.getImageData(at % 13, Math.floor((at % 169) / 13), 1, 1).data];
    }""")
    assert yellow == [0xFD, 0xE7, 0x25, 255], yellow


def strokes_are_undone_and_samples_make_room(browser):
    page = open_page(browser)
    pad = Pad(page, 1)
    pad.press("Clear the pad")
    pad.draw([[(100, 60), (100, 200)]])
    one = pad.inked()
    pad.draw([[(180, 60), (180, 200)]])
    assert pad.inked() == 2 * one
    pad.press("Undo the last stroke")
    pad.settle()
    assert pad.inked() == one
    pad.press("Undo the last stroke")
    pad.is_empty()
    ways = set()
    for _ in range(3):
        pad.press("Write 7")
        pad.settle()
        ways.add(pad.inked())
    assert len(ways) == 3, "each press has another way to write it"
    pad.draw([[(100, 60), (100, 200)]])
    assert pad.inked() == one, "a sample makes room for a drawing"


def keys_draw(browser):
    page = open_page(browser)
    pad = Pad(page, 0)
    for _ in range(2):
        page.keyboard.press("Tab")
    expect(pad.host.get_by_role("button", name="Write 0")).to_be_focused()
    page.keyboard.press("Enter")
    pad.settle()
    zero = pad.inked()
    page.keyboard.press("Shift+Tab")
    expect(pad.canvas).to_be_focused()
    expect(pad.host.locator(".pen")).to_be_visible()
    page.keyboard.press("4")
    pad.settle()
    assert pad.inked() not in [0, zero]
    page.keyboard.press("Delete")
    pad.is_empty()
    for _ in range(11):
        page.keyboard.press("ArrowUp")
    # A key that is held repeats itself.
    for _ in range(2):
        page.keyboard.down("Space")
    page.keyboard.up("Space")
    for _ in range(22):
        page.keyboard.press("ArrowDown")
    pad.settle()
    expect(pad.heard).to_have_text("Nothing drawn yet")
    page.keyboard.press("Space")
    expect(pad.heard).to_contain_text("The network says")
    # A line of 22 steps of 8 pixels, 22 wide, with round ends.
    area = 22 * 8 * 22 + math.pi * 11**2
    assert abs(pad.inked() - area) < 0.05 * area, pad.inked()
    page.keyboard.press("Backspace")
    pad.is_empty()


def it_fits_a_phone(browser):
    page = open_page(browser, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    pad = Pad(page, 0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    pad.canvas.tap(position={"x": 140, "y": 140})
    pad.settle()
    assert abs(pad.inked() - math.pi * 11**2) < 60, f"a dot, not {pad.inked()} pixels"


def without_scripts_it_is_a_sentence(browser):
    page = open_page(browser, java_script_enabled=False)
    expect(page.locator(".lab-pad").first).to_contain_text("Here is a pad to draw a digit on, where scripts may run")
    expect(page.get_by_role("button")).to_have_count(0)


def a_browser_that_cannot_compute_says_so(browser):
    page = browser.new_context().new_page()
    page.add_init_script("delete globalThis.WebAssembly")
    page.goto(PAGE)
    expect(page.locator(".lab-pad").first).to_contain_text("this browser cannot compute what it takes: ")


CHECKS = [digits_are_drawn, strokes_are_undone_and_samples_make_room, keys_draw, it_fits_a_phone]
CHECKS += [without_scripts_it_is_a_sentence, a_browser_that_cannot_compute_says_so]
asked = []
with chromium(sys.argv[1]) as browser:
    for check in CHECKS:
        try:
            check(browser)
        except Exception as error:
            sys.exit(f"{check.__name__}: {error}")
others = [address for address in asked if address != PAGE]
assert not others, others
