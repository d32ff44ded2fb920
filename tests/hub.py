"""Learners log in to a JupyterHub, each in a browser of their own, and run the first notebook at the same time.

    python hub.py CHROMIUM SCREENSHOTS HOMES LEARNER…

Each learner's folder in HOMES has 01_first_light.ipynb, and a file of its own.
"""

import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from jupyterlab import Notebook, chromium, expect, has_run, open_page, output, write_settings

SCREENSHOTS, HOMES, LEARNERS = Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:]
CONFIGURATION = Path(__file__).parent.parent / "deploy/jupyterhub_config.py"
NOTEBOOK = "01_first_light.ipynb"
# Nobody here has an account on this machine.
ACCOUNTS = """
import os
load_subconfig({configuration!r})
c.JupyterHub.authenticator_class, c.JupyterHub.spawner_class = "dummy", "simple"
c.SimpleLocalProcessSpawner.home_dir_template = {homes!r} + "/{{username}}"
c.JupyterHub.bind_url, c.JupyterHub.hub_port = {address!r}, {hub}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.JupyterHub.log_level = "WARN"
for name in ["JUPYTER_PATH", "JUPYTER_CONFIG_DIR"]:
    c.Spawner.environment[name] = os.environ[name]
c.Spawner.args.append("--allow-root")
"""


def free_ports(count):
    """Ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [socket.getsockname()[1] for socket in sockets]
    for listening in sockets:
        listening.close()
    return ports


@contextmanager
def jupyterhub():
    """A hub in this folder; gives its address."""
    write_settings()
    public, hub, api = free_ports(3)
    address = f"http://127.0.0.1:{public}"
    text = ACCOUNTS.format(configuration=str(CONFIGURATION), homes=str(HOMES), address=address, hub=hub, api=api)
    Path("configuration.py").write_text(text)
    log = Path("hub.log").open("w")
    command = [sys.executable, "-m", "jupyterhub", "--config", "configuration.py"]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(f"{address}/hub/health", server)
        yield address
    finally:
        server.terminate()
        server.wait()
        print(Path("hub.log").read_text(), file=sys.stderr)


def wait_for(address, server):
    while server.poll() is None:
        try:
            return urlopen(address).read()
        except OSError:
            time.sleep(0.1)
    sys.exit("JupyterHub did not start:\n" + Path("hub.log").read_text())


def logs_in(browser, address, name):
    """By the link that a teacher gives to all."""
    page = open_page(browser)
    page.goto(f"{address}/hub/user-redirect/lab/tree/{NOTEBOOK}")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill("any")
    page.get_by_role("button", name="Sign in").click()
    return page


def sees_only_own_files(page, address, name, other):
    page.locator(".jp-DirListing-item").filter(has_text=f"of_{name}.txt").wait_for()
    expect(page.locator(".jp-DirListing-item")).to_have_count(2)
    own = page.request.get(f"{address}/user/{name}/api/contents/of_{name}.txt")
    others = page.request.get(f"{address}/user/{other}/api/contents/of_{other}.txt")
    assert (own.status, others.status) == (200, 403), (own.status, others.status)


def sees_only_own_variables(notebook, name, other):
    expect(output(notebook.run(f"let of_{name} = {len(name)};\nof_{name} * 111"))).to_contain_text(str(111 * len(name)))
    expect(output(notebook.run(f"of_{other}"))).to_contain_text(f"cannot find value `of_{other}` in this scope")


def work(browser, address):
    pages = {name: logs_in(browser, address, name) for name in LEARNERS}
    try:
        for name, page in pages.items():
            page.wait_for_url(f"{address}/user/{name}/lab/**")
        notebooks = {name: Notebook(page) for name, page in pages.items()}
        start = time.monotonic()
        for notebook in notebooks.values():
            notebook.run_all()
        for notebook in notebooks.values():
            has_run(notebook, cells=11, pictures=4)
        print(f"{len(LEARNERS)} learners ran {NOTEBOOK} at once in {time.monotonic() - start:.0f} s")
        for name, other in zip(LEARNERS, LEARNERS[1:] + LEARNERS[:1]):
            sees_only_own_files(pages[name], address, name, other)
            sees_only_own_variables(notebooks[name], name, other)
    finally:
        for name, page in pages.items():
            page.screenshot(path=SCREENSHOTS / f"hub_{name}.png")


with jupyterhub() as address, chromium(sys.argv[1]) as browser:
    work(browser, address)
