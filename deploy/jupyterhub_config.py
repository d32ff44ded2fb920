"""JupyterHub on one machine, for all who have an account there. README.md says what comes before.

jupyterhub --config deploy/jupyterhub_config.py
"""

import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821, JupyterHub brings it along

# What was installed next to this Python, whatever is on the path.
programs = Path(sys.executable).parent
# By default the proxy ends each request after 20 seconds, also the one by which a waiting page learns that its server is ready; the
# page would wait for ever.
c.ConfigurableHTTPProxy.command = [str(programs / "configurable-http-proxy"), "--proxy-timeout=3600000"]
c.Spawner.cmd = [str(programs / "jupyterhub-singleuser")]

c.Authenticator.allow_all = True
c.Spawner.default_url = "/lab"
# Where the compiler is that links cells, where the digits are, and whether they may be downloaded.
handed_on = ["PATH", "MNIST_DIR", "TAPER_OFFLINE"]
c.Spawner.environment = {name: os.environ[name] for name in handed_on if name in os.environ}
# When a whole class logs in at once, the last of them waits longer than the 30 seconds that a server has by default.
c.Spawner.start_timeout = c.Spawner.http_timeout = 300
# A kernel that nobody has used for an hour gives its memory back.
c.Spawner.args = ["--MappingKernelManager.cull_idle_timeout=3600", "--MappingKernelManager.cull_interval=300"]
