"""Barbican for uWSGI, with its database made in the same interpreter.

Barbican finds its configuration as $HOME/.barbican/barbican.conf while it is imported.
"""

import os
import sqlite3

from barbican.common import config
from barbican.model.migration import commands
from paste import deploy

DIRECTORY = os.environ["VOLCRYPT_TEST_DIRECTORY"]
DATABASE = os.path.join(DIRECTORY, "barbican.db")

if not os.path.exists(DATABASE):
    # See keystone_app.py.
    with sqlite3.connect(DATABASE) as database:
        database.execute("PRAGMA journal_mode=WAL")
    database.close()
    commands.upgrade(to_version="head", sql_url=config.CONF.sql_connection)
application = deploy.loadapp(f"config:{DIRECTORY}/barbican.ini")
with open(os.path.join(DIRECTORY, "barbican.ready"), "w", encoding="ascii"):
    pass
