"""Uses the players of a page in a browser: an upper one of five frames at two a second, with the captions a to e, and,
far below, a lower one of three frames at four a second. Frame n, counted from 0, has the colour (40 n, 100, 0).

    python player.py CHROMIUM PAGE
"""

import sys
from pathlib import Path

from jupyterlab import chromium, expect

PAGE = Path(sys.argv[2]).as_uri()
PIXEL = "canvas => canvas.getContext('2d').getImageData(7, 5, 1, 1).data.join()"


class Player:
    def __init__(self, page, name, frames, captions=""):
        self.host = page.locator(".lab-player").filter(has=page.get_by_alt_text(name))
        self.words = [f"{name}, frame {n + 1} of {frames}" for n in range(frames)]
        self.words = [f"{words}: {caption}" for words, caption in zip(self.words, captions)] or self.words
        self.frames = frames
        self.slider = self.host.get_by_role("slider", name="Frame")

    def button(self, name):
        return self.host.get_by_role("button", name=name, exact=True)

    def press(self, name):
        self.button(name).click()

    def choose(self, name, option):
        self.host.get_by_role("combobox", name=name).select_option(option)

    def shows(self, frame):
        """The slider, the words and the picture are at this frame, counted from 1."""
        expect(self.slider).to_have_value(str(frame - 1))
        expect(self.host.locator(".place")).to_have_text(f"{frame} / {self.frames}")
        canvas = self.host.get_by_role("img")
        expect(canvas).to_have_attribute("aria-label", self.words[frame - 1])
        for _ in range(100):
            pixel = canvas.evaluate(PIXEL)
            if pixel == f"{40 * (frame - 1)},100,0,255":
                return
        raise AssertionError(f"frame {frame} is said to be shown, but the colour is {pixel}")


def open_page(browser, **context):
    """A page whose clock stands still, and the players on it. It must ask nobody for anything."""
    page = browser.new_context(viewport={"width": 900, "height": 600}, **context).new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: asked.append(str(error)))
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    page.goto(PAGE)
    return page, Player(page, "five colours", 5, "abcde"), Player(page, "three colours", 3)


def it_plays(browser):
    page, upper, lower = open_page(browser)
    expect(upper.button("Pause")).to_be_visible()
    upper.shows(1)
    for frame in [2, 3, 4, 5, 1, 2]:
        page.clock.run_for(500)
        upper.shows(frame)
    # The lower one is out of view, so it waits.
    lower.shows(1)

    upper.choose("Speed", "4×")
    for frame in [3, 4]:
        page.clock.run_for(125)
        upper.shows(frame)
    upper.choose("Speed", "0.25×")
    page.clock.run_for(1999)
    upper.shows(4)
    page.clock.run_for(1)
    upper.shows(5)

    upper.choose("Speed", "1×")
    upper.choose("At the last frame", "Back and forth")
    for frame in [4, 3, 2, 1, 2]:
        page.clock.run_for(500)
        upper.shows(frame)
    upper.choose("At the last frame", "Once")
    page.clock.run_for(10_000)
    upper.shows(5)
    upper.press("Play")
    upper.shows(1)
    page.clock.run_for(500)
    upper.shows(2)
    upper.press("Pause")
    page.clock.run_for(10_000)
    upper.shows(2)

    # The other one has its own speed, and stands while the reader is elsewhere.
    lower.host.scroll_into_view_if_needed()
    page.wait_for_function("scrollY > 100")
    settle(page)
    page.clock.run_for(250)
    lower.shows(2)
    lower.choose("Speed", "2×")
    page.clock.run_for(125)
    lower.shows(3)
    upper.shows(2)
    upper.host.scroll_into_view_if_needed()
    settle(page)
    page.clock.run_for(10_000)
    lower.shows(3)


def settle(page):
    """Waits until the browser has told the players whether they are in view: it does so when it paints."""
    page.evaluate("""() => new Promise(resolve => {
        const observer = new IntersectionObserver(() => { observer.disconnect(); resolve(); });
        observer.observe(document.querySelector(".lab-player"));
    })""")


def it_steps(browser):
    page, upper, _ = open_page(browser)
    for name, frame in [
        ("Next frame", 2),
        ("Next frame", 3),
        ("Previous frame", 2),
        ("Last frame", 5),
        ("Next frame", 5),
        ("First frame", 1),
        ("Previous frame", 1),
    ]:
        upper.press(name)
        upper.shows(frame)
        expect(upper.button("Play")).to_be_visible()
    upper.slider.fill("3")
    upper.shows(4)
    expect(upper.slider).to_have_attribute("aria-valuetext", "4 of 5: d")
    expect(upper.host.locator(".caption")).to_have_text("d")

    upper.button("First frame").focus()
    for key, frame in [("Home", 1), ("ArrowRight", 2), ("ArrowRight", 3), ("ArrowLeft", 2), ("End", 5)]:
        page.keyboard.press(key)
        upper.shows(frame)
    for name in ["Previous frame", "Play", "Next frame", "Last frame"]:
        page.keyboard.press("Tab")
        expect(upper.button(name)).to_be_focused()
    page.keyboard.press("Tab")
    expect(upper.slider).to_be_focused()
    page.keyboard.press("ArrowLeft")
    upper.shows(4)
    page.keyboard.press("Space")
    expect(upper.button("Pause")).to_be_visible()
    page.clock.run_for(500)
    upper.shows(5)
    for name in ["Speed", "At the last frame"]:
        page.keyboard.press("Tab")
        expect(upper.host.get_by_role("combobox", name=name)).to_be_focused()


def it_waits_for_those_who_prefer_stillness(browser):
    page, upper, _ = open_page(browser, reduced_motion="reduce")
    expect(upper.button("Play")).to_be_visible()
    page.clock.run_for(10_000)
    upper.shows(1)
    upper.press("Play")
    page.clock.run_for(500)
    upper.shows(2)
    page.emulate_media(reduced_motion="no-preference")
    page.clock.run_for(500)
    upper.shows(3)
    page.emulate_media(reduced_motion="reduce")
    expect(upper.button("Play")).to_be_visible()


def without_scripts_it_is_an_image(browser):
    """The animated PNG, or its last frame for those who prefer stillness."""
    sources = []
    for motion in ["no-preference", "reduce"]:
        page, upper, _ = open_page(browser, java_script_enabled=False, reduced_motion=motion)
        image = upper.host.get_by_role("img", name="five colours")
        expect(image).to_be_visible()
        assert image.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [40, 30]
        expect(page.get_by_role("button")).to_have_count(0)
        sources.append(image.evaluate("image => image.currentSrc"))
    assert sources[0] == image.get_attribute("src") and sources[1] != sources[0]
    assert sources[1] == upper.host.locator("source").get_attribute("srcset")


asked = []
with chromium(sys.argv[1]) as browser:
    expect.set_options(timeout=120_000)
    for check in [it_plays, it_steps, it_waits_for_those_who_prefer_stillness, without_scripts_it_is_an_image]:
        try:
            check(browser)
        except Exception as error:
            sys.exit(f"{check.__name__}: {error}")
others = {address for address in asked if address != PAGE and not address.startswith("data:")}
assert not others, others
