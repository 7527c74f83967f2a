"""HTTP sessions for talking to pods: no proxies of the environment, no cookies, few idle connections."""

import aiohttp


def pod_session() -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=256, keepalive_timeout=15)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
