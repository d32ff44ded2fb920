"""Runs the notebook live.ipynb of this folder in JupyterLab, in a browser, and looks at what it shows.

    python browser.py CHROMIUM SCREENSHOT
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

# No sandbox in containers, no graphics card, and no calls home.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
PATIENCE = 60_000


def start_server():
    """Starts JupyterLab on this folder; returns the process and the address of its page."""
    settings = Path(os.environ["JUPYTER_CONFIG_DIR"], "labconfig/page_config.json")
    settings.parent.mkdir(parents=True)
    # Whether the user would like to get news.
    disabled = {"@jupyterlab/apputils-extension:announcements": True}
    settings.write_text(json.dumps({"disabledExtensions": disabled}))
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.port=0"]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = []
    for line in server.stderr:
        said.append(line)
        if address := re.search(r"http://127\.0\.0\.1:\d+/lab\?token=\w+", line):
            return server, address[0]
    sys.exit("JupyterLab did not start:\n" + "".join(said))


def run_all(page, address):
    page.goto(address.replace("/lab?", "/lab/tree/live.ipynb?"))
    # Cells that are run before the kernel is there are not run.
    page.get_by_role("button", name="Rust (taper) | Idle").wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()


def check(page):
    cells = page.locator(".jp-Notebook .jp-CodeCell")
    prompts = cells.locator(".jp-InputPrompt")
    outputs = cells.locator(".jp-OutputArea")

    expect(cells.nth(0).locator(".jp-Editor .cm-line").first).to_have_text('println!("three steps");')
    expect(outputs.nth(0)).to_contain_text("three steps")
    expect(outputs.nth(0).locator(".jp-OutputArea-executeResult pre")).to_have_text("6")

    picture = outputs.nth(1).locator('[data-mime-type="image/svg+xml"] img')
    expect(picture).to_be_visible()
    assert picture.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [120, 60]

    expect(outputs.nth(2).locator("b")).to_have_text("at first")
    Path("go on").touch()
    expect(outputs.nth(2).locator("b")).to_have_text("later on")
    expect(prompts.nth(2)).to_have_text("[*]:")
    Path("end").touch()
    expect(prompts.nth(2)).to_have_text("[3]:")

    expect(outputs.nth(3).locator(".jp-Stdin-prompt")).to_have_text("Who are you?")
    answer = outputs.nth(3).locator("input.jp-Stdin-input")
    answer.fill("Ada")
    answer.press("Enter")
    expect(outputs.nth(3)).to_contain_text("hello Ada")

    expect(outputs.nth(4)).to_contain_text("panic: index out of bounds: the len is 2 but the index is 7")
    expect(prompts.nth(4)).to_have_text("[5]:")
    expect(page.get_by_role("button", name="Rust (taper) | Idle")).to_be_visible()


def get_help(page, kernel):
    """Presses Tab behind a name, chooses, and asks what it is."""
    editor = page.locator(".jp-Notebook .jp-CodeCell").last.locator(".cm-content")
    editor.click()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("let number: u8 = 5; number.is_pow")
    # JupyterLab waits for a second, and the first answer takes longer: rust-analyzer reads std.
    with kernel.expect_event("framereceived", lambda frame: b"complete_reply" in frame):
        page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.locator(".jp-Completer-item")).to_contain_text("is_power_of_two()")
    page.keyboard.press("Enter")
    expect(editor).to_contain_text("number.is_power_of_two()")
    page.keyboard.press("Shift+Tab")
    expect(page.locator(".jp-Tooltip")).to_contain_text("Returns true if and only if self == 2^k")


server, address = start_server()
try:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=sys.argv[1], args=FLAGS)
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        sockets = []
        page.on("websocket", lambda socket: sockets.append(socket))
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        try:
            run_all(page, address)
            check(page)
        finally:
            page.screenshot(path=sys.argv[2])
        get_help(page, next(socket for socket in sockets if "/api/kernels/" in socket.url))
        browser.close()
finally:
    server.terminate()
    server.wait()
