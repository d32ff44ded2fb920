"""Runs the notebook live.ipynb of this folder in JupyterLab, in a browser, and looks at what it shows.

    python live_in_jupyterlab.py CHROMIUM SCREENSHOTS
"""

import sys
from pathlib import Path

from jupyterlab import Notebook, chromium, expect, jupyterlab, kernel_socket, open_page, output, prompt


def shows_everything(notebook):
    cells = [notebook.cell(number) for number in range(1, 7)]
    expect(cells[0].locator(".jp-Editor .cm-line").first).to_have_text('println!("three steps");')
    expect(output(cells[0])).to_contain_text("three steps")
    expect(output(cells[0]).locator(".jp-OutputArea-executeResult pre")).to_have_text("6")

    picture = output(cells[1]).locator('[data-mime-type="image/svg+xml"] img')
    expect(picture).to_be_visible()
    assert picture.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [120, 60]

    expect(output(cells[2]).locator("b")).to_have_text("at first")
    Path("go on").touch()
    expect(output(cells[2]).locator("b")).to_have_text("later on")
    expect(prompt(cells[2])).to_have_text("[*]:")
    Path("end").touch()
    expect(prompt(cells[2])).to_have_text("[3]:")

    expect(output(cells[3]).locator(".jp-Stdin-prompt")).to_have_text("Who are you?")
    answer = output(cells[3]).locator("input.jp-Stdin-input")
    answer.fill("Ada")
    answer.press("Enter")
    expect(output(cells[3])).to_contain_text("hello Ada")

    pad = output(cells[4]).locator(".lab-pad")
    expect(pad.get_by_role("status")).to_contain_text("The network says")
    # Keys are the pad's: JupyterLab would delete the cell.
    for key in ["d", "d", "Delete"]:
        pad.get_by_role("application").press(key)
    expect(pad.get_by_role("status")).to_have_text("Nothing drawn yet")

    expect(output(cells[5])).to_contain_text("panic: index out of bounds: the len is 2 but the index is 7")
    expect(prompt(cells[5])).to_have_text("[6]:")
    notebook.is_idle()


def completes_and_helps(page, notebook):
    """Presses Tab behind a name, chooses, and asks what it is."""
    editor = notebook.type(notebook.cell(7), "let number: u8 = 5; number.is_pow")
    # JupyterLab waits for a second, and the first answer takes longer: rust-analyzer reads std.
    with kernel_socket(page).expect_event("framereceived", lambda frame: b"complete_reply" in frame):
        page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.locator(".jp-Completer-item")).to_contain_text("is_power_of_two()")
    page.keyboard.press("Enter")
    expect(editor).to_contain_text("number.is_power_of_two()")
    page.keyboard.press("Shift+Tab")
    expect(page.locator(".jp-Tooltip")).to_contain_text("Returns true if and only if self == 2^k")


with jupyterlab() as address, chromium(sys.argv[1]) as browser:
    page = open_page(browser)
    try:
        page.goto(address.replace("/lab?", "/lab/tree/live.ipynb?"))
        notebook = Notebook(page)
        notebook.run_all()
        shows_everything(notebook)
        notebook.add()
        completes_and_helps(page, notebook)
    finally:
        page.screenshot(path=Path(sys.argv[2], "live.png"))
