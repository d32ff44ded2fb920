"""JupyterLab in a browser, for the scripts that use it as a person does."""

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

# No sandbox in containers, no graphics card, and no calls home.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
# For what must come, on a machine with much else to do.
PATIENCE = 300_000
PICTURES = 'img[src^="data:image/svg+xml"], [data-mime-type="image/svg+xml"] img'


@contextmanager
def chromium(path):
    """The browser of this machine."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        expect.set_options(timeout=PATIENCE)
        yield browser
        browser.close()


@contextmanager
def jupyterlab():
    """JupyterLab on this folder; gives the address of its page."""
    write_settings()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.port=0"]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        yield address_of(server)
    finally:
        server.terminate()
        server.wait()


def write_settings():
    settings = Path(os.environ["JUPYTER_CONFIG_DIR"], "labconfig")
    settings.mkdir(parents=True)
    # Whether the user would like to get news.
    disabled = {"@jupyterlab/apputils-extension:announcements": True}
    settings.joinpath("page_config.json").write_text(json.dumps({"disabledExtensions": disabled}))
    # What is highlighted in the list of completions is explained beside it; that is off by default.
    changed = {"@jupyterlab/completer-extension:manager": {"showDocumentationPanel": True}}
    settings.joinpath("default_setting_overrides.json").write_text(json.dumps(changed))


def address_of(server):
    said = []
    for line in server.stderr:
        said.append(line)
        if address := re.search(r"http://127\.0\.0\.1:\d+/lab\?token=\w+", line):
            return address[0]
    sys.exit("JupyterLab did not start:\n" + "".join(said))


def open_page(browser):
    """An empty page, which remembers its sockets."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(PATIENCE)
    page.sockets = []
    page.on("websocket", lambda socket: page.sockets.append(socket))
    return page


def kernel_socket(page):
    """What connects the page with the kernel that was started last."""
    return [socket for socket in page.sockets if "/api/kernels/" in socket.url][-1]


def choose(page, menu, *entries):
    """Chooses from JupyterLab's menus."""
    page.get_by_role("menuitem", name=menu, exact=True).click()
    for entry in entries:
        page.locator(".lm-Menu-item").filter(has_text=re.compile(f"^{re.escape(entry)}")).last.click()


class Notebook:
    """The notebook in front on a page. Its code cells are counted from 1."""

    def __init__(self, page):
        self.page = page
        self.root = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        # Cells that are run before the kernel is there are not run.
        page.get_by_role("button", name="Rust (taper) | Idle").wait_for()

    def is_idle(self):
        """The kernel has nothing to do."""
        self.root.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for()

    def cell(self, number):
        return self.root.locator(".jp-CodeCell").nth(number - 1)

    def cell_with(self, text):
        return self.root.locator(".jp-CodeCell").filter(has_text=text).first

    def run_all(self):
        choose(self.page, "Run", "Run All Cells")

    def type(self, cell, text):
        """Replaces the text of a cell by what is typed into it."""
        editor = cell.locator(".cm-content")
        editor.click()
        self.page.keyboard.press("ControlOrMeta+a")
        # Typed, the editor would close brackets and indent.
        self.page.keyboard.insert_text(text)
        return editor

    def add(self):
        """Adds a cell at the end."""
        cells = self.root.locator(".jp-CodeCell")
        count = cells.count()
        self.root.get_by_role("button", name="Click to add a cell.").click()
        expect(cells).to_have_count(count + 1)
        return cells.last

    def run(self, text):
        """Runs text in a new cell at the end."""
        cell = self.cell(self.root.locator(".jp-CodeCell").count() + 1)
        self.type(self.add(), text)
        self.page.keyboard.press("ControlOrMeta+Enter")
        return cell


def has_run(notebook, cells, pictures):
    """All cells, each once and in order, without an error."""
    for number in range(1, cells + 1):
        expect(prompt(notebook.cell(number))).to_have_text(f"[{number}]:")
    notebook.is_idle()
    expect(notebook.root.locator('[data-mime-type="application/vnd.jupyter.stderr"]')).to_have_count(0)
    images = notebook.root.locator(f":is({PICTURES})")
    expect(images).to_have_count(pictures)
    sizes = images.evaluate_all("images => images.map(image => Math.min(image.naturalWidth, image.naturalHeight))")
    assert min(sizes) > 50, f"a picture is broken: {sizes}"


def prompt(cell):
    return cell.locator(".jp-InputPrompt")


def output(cell):
    return cell.locator(".jp-OutputArea")
