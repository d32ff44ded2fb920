"""Works through notebooks of the course in JupyterLab, in a browser, as a person does.

    python course_in_jupyterlab.py CHROMIUM SCREENSHOTS

This folder has 01_first_light.ipynb and 03_architecture.ipynb.
"""

import re
import sys
import time
from pathlib import Path

from jupyterlab import Notebook, choose, chromium, expect, has_run, jupyterlab, kernel_socket, open_page, output, prompt

SCREENSHOTS = Path(sys.argv[2])
FIRST, SECOND = "01_first_light.ipynb", "03_architecture.ipynb"
# Long enough that it does not end by itself.
TRAINING = """let mut panel = Panel::new("Long", &digits.name, 1000, train.len().div_ceil(BATCH));
for epoch in 0..1000 {
    for batch in train.batches(BATCH, epoch, &device) {
        let (images, labels) = batch?;
        let logits = net.forward(&images, true)?;
        let loss = ops::cross_entropy(&logits, &labels)?;
        adam.backward_step(&loss)?;
        panel.step(loss.to_scalar()?, ops::accuracy(&logits, &labels)?)?;
    }
    panel.epoch(None)?;
}"""
MISTAKE = 'let count: usize = "three";'


def opens_from_the_launcher(page):
    """A new notebook by its card, the course's first one from the list of files."""
    page.locator('.jp-LauncherCard[title="Rust (taper)"]').first.click()
    untitled = Notebook(page)
    shows(untitled.run("6 * 7"), "42")
    shot(page, "new_notebook")
    page.get_by_text(FIRST).dblclick()
    expect(page.get_by_role("tab", name=FIRST)).to_be_visible()
    return Notebook(page)


def shows(cell, text):
    expect(output(cell)).to_contain_text(text)


def shot(page, name):
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


# Writes down where the panel says that it is, with the prompt of its cell: a fast machine trains for two seconds only.
WATCH = r"""cell => {
    cell.seen = [];
    const watch = () => {
        const place = cell.querySelector(".jp-OutputArea").textContent.match(/epoch (\d+)\/\d+, step (\d+).* left/);
        const prompt = cell.querySelector(".jp-InputPrompt").textContent;
        if (place && prompt === "[*]:") cell.seen.push([Number(place[1]), Number(place[2])]);
    };
    new MutationObserver(watch).observe(cell, {childList: true, subtree: true, characterData: true});
}"""


def runs_all(page, notebook):
    """The panel moves while its cell runs, and pictures are there in the end."""
    training = notebook.cell_with("Panel::new")
    training.scroll_into_view_if_needed()
    training.evaluate(WATCH)
    notebook.run_all()
    expect(prompt(training)).to_have_text("[8]:")
    seen = [tuple(place) for place in training.evaluate("cell => cell.seen")]
    assert seen == sorted(seen) and len(set(seen)) > 3, f"epoch and step should go up: {seen}"
    has_run(notebook, cells=11, pictures=4)


def moves(training):
    """Waits until the panel shows two places, one after the other, while its cell runs."""
    place = re.compile(r"epoch \d+/\d+, step \d+")
    panel = output(training).get_by_text(place)
    first = place.search(panel.inner_text())[0]
    expect(panel).not_to_contain_text(re.compile(rf"{first}\b"))
    expect(prompt(training)).to_have_text("[*]:")


def restarts_and_runs_all(page, notebook):
    """Everything anew, and the counts start at 1 again."""
    choose(page, "Kernel", "Restart Kernel and Run All Cells")
    page.get_by_role("dialog").get_by_text("Restart", exact=True).click()
    expect(prompt(notebook.cell(8))).to_have_text("[*]:")
    has_run(notebook, cells=11, pictures=4)


def highlights_rust(notebook):
    """Keywords, strings, numbers and plain names are told apart by colour."""
    line = notebook.cell_with("const TRAIN_IMAGES").locator(".cm-line").first
    keyword, number = (line.get_by_text(text, exact=True) for text in ["const", "6_000"])
    colors = [part.evaluate("part => getComputedStyle(part).color") for part in [keyword, number, line]]
    assert len(set(colors)) == 3, colors


def stops(page, notebook):
    """The stop button ends a training soon, and what other cells have made is still there."""
    training = notebook.run(TRAINING)
    moves(training)
    output(training).evaluate("area => area.scrollIntoView()")
    shot(page, "panel")
    stop = notebook.root.get_by_role("button", name="Interrupt the kernel")
    start = time.monotonic()
    stop.click()
    expect(output(training)).to_contain_text("interrupted")
    notebook.is_idle()
    print(f"the stop button took {time.monotonic() - start:.2f} s")
    shows(notebook.run('println!("{parameters} parameters, {} steps", history.steps().len());'), "34826 parameters, 235 steps")
    shot(page, "stopped")


def explains_mistakes(page, notebook):
    """In colours that can be read, over the lines of the cell."""
    cell = notebook.run(MISTAKE)
    shows(cell, "expected `usize`, found `&str`")
    error = output(cell).locator("pre")
    parts = error.locator("span")
    assert parts.count() > 3, "no part of the message is marked"
    colors = parts.evaluate_all("parts => parts.map(part => getComputedStyle(part).color)")
    assert len(set(colors)) > 1, colors
    cell.scroll_into_view_if_needed()
    shot(page, "mistake")


def completes_and_helps(page, notebook):
    """Names and their types as one types, documentation by Shift-Tab."""
    last = notebook.add()
    editor = notebook.type(last, "Tensor::arange_s")
    # JupyterLab waits for a second, and the first answer takes longer: rust-analyzer reads std.
    with kernel_socket(page).expect_event("framereceived", lambda frame: b"complete_reply" in frame):
        page.keyboard.press("Tab")
    notebook.type(last, "net.block1.wei")
    page.keyboard.press("Tab")
    item = page.locator(".jp-Completer-item").filter(has_text="weight()")
    expect(item).to_contain_text("function")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".jp-Completer-docpanel")).to_contain_text("pub fn weight(&self) -> &Tensor")
    shot(page, "completion")
    page.keyboard.press("Escape")

    notebook.type(last, "Tensor")
    page.keyboard.press("Shift+Tab")
    help = page.locator(".jp-Tooltip")
    expect(help).to_contain_text("pub struct Tensor")
    expect(help).to_contain_text("The core struct for manipulating tensors.")
    shot(page, "help")
    page.keyboard.press("Escape")
    expect(editor).to_have_text("Tensor")
    notebook.type(last, "")


def runs_two_at_once(page, first):
    """Both make progress at the same time, and do not mix."""
    training = first.run(TRAINING)
    page.get_by_text(SECOND).dblclick()
    expect(page.get_by_role("tab", name=SECOND)).to_be_visible()
    second = Notebook(page)
    second.run_all()
    player = second.root.locator(".lab-player").first
    has_run(second, cells=26, pictures=2)
    page.get_by_role("tab", name=FIRST).click()
    expect(prompt(training)).to_have_text("[*]:")
    moves(training)
    first.root.get_by_role("button", name="Interrupt the kernel").click()
    expect(output(training)).to_contain_text("interrupted")
    page.get_by_role("tab", name=SECOND).click()
    return second, player


def plays_by_keyboard(page, player):
    player.scroll_into_view_if_needed()
    place = player.locator(".place")
    player.get_by_role("button", name="Pause").press("Space")
    player.get_by_role("button", name="First frame").focus()
    page.keyboard.press("Home")
    expect(place).to_have_text(re.compile("^1 /"))
    page.keyboard.press("ArrowRight")
    expect(place).to_have_text(re.compile("^2 /"))
    player.get_by_role("button", name="Play").press("Space")
    expect(place).to_have_text(re.compile("^4 /"))
    player.get_by_role("button", name="Pause").press("Space")
    shot(page, "player")


def goes_dark(page, notebook):
    page.get_by_role("tab", name=FIRST).click()
    choose(page, "Settings", "Theme", "JupyterLab Dark")
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", "false")
    expect(page.locator("#jupyterlab-splash")).to_have_count(0)
    for name in ["plot::images(", "Panel::new", "plot::bars("]:
        notebook.cell_with(name).scroll_into_view_if_needed()
        shot(page, f"dark_{name.split('(')[0].replace('::', '_')}")


def work(browser, address):
    page = open_page(browser)
    try:
        page.goto(address)
        first = opens_from_the_launcher(page)
        highlights_rust(first)
        runs_all(page, first)
        restarts_and_runs_all(page, first)
        stops(page, first)
        explains_mistakes(page, first)
        completes_and_helps(page, first)
        second, player = runs_two_at_once(page, first)
        plays_by_keyboard(page, player)
        goes_dark(page, first)
    finally:
        shot(page, "last")


with jupyterlab() as address, chromium(sys.argv[1]) as browser:
    work(browser, address)
