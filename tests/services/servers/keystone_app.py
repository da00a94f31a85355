"""Keystone for uWSGI, with its database made and filled in the same interpreter: its imports alone take two seconds.

Reads keystone.conf and seed.json in $VOLCRYPT_TEST_DIRECTORY, writes ids.json there, and keystone.ready at the end.
"""

import json
import os
import sqlite3
import uuid

from keystone.cmd import bootstrap
from keystone.common import fernet_utils, provider_api
from keystone.common.sql import upgrades
from keystone.server.flask import core
import keystone.conf

DIRECTORY = os.environ["VOLCRYPT_TEST_DIRECTORY"]
IDS = os.path.join(DIRECTORY, "ids.json")
IS_NEW = not os.path.exists(IDS)


def prepare():
    """keystone-manage db_sync and fernet_setup, once the configuration is read."""
    if not IS_NEW:
        return
    # With SQLite's usual journal, a reader that an exception's traceback keeps alive blocks every writer.
    with sqlite3.connect(os.path.join(DIRECTORY, "keystone.db")) as database:
        database.execute("PRAGMA journal_mode=WAL")
    database.close()
    upgrades.offline_sync_database_to_version()
    tokens = keystone.conf.CONF.fernet_tokens
    keys = fernet_utils.FernetUtils(tokens.key_repository, tokens.max_active_keys, "fernet_tokens")
    keys.create_key_directory()
    keys.initialize_key_repository()


def fill(seed):
    managers = provider_api.ProviderAPIs
    begin(seed)
    roles = {role["name"]: role["id"] for role in managers.role_api.list_roles()}
    for name in seed["roles"]:
        if name not in roles:
            roles[name] = new_id()
            managers.role_api.create_role(roles[name], {"id": roles[name], "name": name, "options": {}})
    projects = {name: add_project(managers, name) for name in seed["projects"]}
    users = {user["name"]: add_user(managers, user, projects, roles) for user in seed["users"]}
    for service in seed["services"]:
        add_service(managers, service, seed["region"])
    return {"projects": projects, "users": users}


def begin(seed):
    """keystone-manage bootstrap: the first project, its administrator, and Keystone's own place in the catalog."""
    bootstrap.backends.load_backends = lambda: None  # the application has loaded them
    first = bootstrap.Bootstrapper()
    first.admin_username, first.admin_password = "admin", seed["admin_password"]
    first.project_name = first.admin_role_name = "admin"
    first.service_name, first.region_id = "keystone", seed["region"]
    first.public_url = first.internal_url = first.admin_url = seed["url"]
    first.immutable_roles = True
    first.bootstrap()


def add_project(managers, name):
    project = {"id": new_id(), "name": name, "domain_id": "default", "parent_id": "default"}
    managers.resource_api.create_project(project["id"], {**project, "enabled": True, "is_domain": False, "options": {}})
    return project["id"]


def add_user(managers, user, projects, roles):
    account = {"name": user["name"], "password": user["password"], "domain_id": "default"}
    user_id = managers.identity_api.create_user({**account, "enabled": True, "options": {}})["id"]
    for project, granted in user["grants"].items():
        for role in granted:
            managers.assignment_api.create_grant(roles[role], user_id=user_id, project_id=projects[project])
    return user_id


def add_service(managers, service, region):
    service_id = new_id()
    described = {"id": service_id, "type": service["type"], "name": service["name"], "enabled": True}
    managers.catalog_api.create_service(service_id, described)
    for interface in ("public", "internal", "admin"):
        endpoint = {"id": new_id(), "service_id": service_id, "interface": interface, "region_id": region}
        managers.catalog_api.create_endpoint(endpoint["id"], {**endpoint, "url": service["url"], "enabled": True})


def new_id():
    return uuid.uuid4().hex


application = core.initialize_application(
    name="public", post_log_configured_function=prepare, config_files=[os.path.join(DIRECTORY, "keystone.conf")]
)
if IS_NEW:
    with open(os.path.join(DIRECTORY, "seed.json"), encoding="utf-8") as seed_file:
        ids = fill(json.load(seed_file))
    with open(IDS, "w", encoding="utf-8") as ids_file:
        json.dump(ids, ids_file)
with open(os.path.join(DIRECTORY, "keystone.ready"), "w", encoding="ascii"):
    pass
