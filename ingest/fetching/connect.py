"""Connections to public addresses only, each to the very address that was checked."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from ipaddress import IPv4Address, IPv6Address

import httpcore

IPAddress = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Sequence[IPAddress]]
Allowed = Callable[[IPAddress], bool]

CONNECT_SECONDS = 5.0

# Public by their numbers, and yet answered by the cloud that a machine runs in.
_CLOUDS_OWN = (ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("168.63.129.16/32"))
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Refused(Exception):
    """A host that is not connected to; the message says why, without a full stop."""


class Late(Exception):
    """The whole of a fetch took too long."""


def resolve(host: str, port: int) -> list[IPAddress]:
    """Return every address of a host, in the system's order; also of hosts written as one number, in octal or hex."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Refused(f"{host} has no address ({error})") from error
    return list(dict.fromkeys(ipaddress.ip_address(str(place[4][0]).partition("%")[0]) for place in found))


def is_public(address: IPAddress) -> bool:
    """Whether an address is one of the public internet's: not this machine's, a local network's or a cloud's own.

    >>> is_public(ipaddress.ip_address("::ffff:169.254.169.254"))
    False
    """
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        # What tunnels to an IPv4 address, and what was once meant for local networks.
        if address.sixtofour or address.teredo or address.is_site_local:
            return False
    elif any(address in network for network in _CLOUDS_OWN):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def pool(until: float, *, lookup: Resolve = resolve, allowed: Allowed = is_public) -> httpcore.ConnectionPool:
    """Return connections for one fetch, which ends at `until` on the monotonic clock, wherever it then is.

    No proxy is ever used, whatever the environment says: a proxy looks a name up again on its side, and what it then
    connects to is not what was checked here.
    """
    return httpcore.ConnectionPool(
        ssl_context=_tls(), network_backend=_Pinned(until, lookup, allowed), max_connections=4, retries=0
    )


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()  # the system's certificates, or those that SSL_CERT_FILE names


class _Pinned(httpcore.NetworkBackend):
    """Looks a host up itself and connects to one of the addresses it then checked.

    The pool still knows the host by its name, so the Host header, TLS's server name and the certificate stay the
    host's, and no connection serves two names. A second lookup that could answer otherwise never happens.
    """

    def __init__(self, until: float, lookup: Resolve, allowed: Allowed) -> None:
        self._until = until
        self._lookup = lookup
        self._allowed = allowed
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = self._lookup(host, port)
        private = [address for address in addresses if not self._allowed(address)]
        if private or not addresses:
            # One private address among public ones is how a name is made to lead inside at the second look.
            where = f"leads to {private[0]}, which is no public address" if private else "has no address"
            raise Refused(f"{host} {where}")
        error: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                stream = self._backend.connect_tcp(str(address), port, _left(self._until, CONNECT_SECONDS))
                return _Timed(stream, self._until)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as failed:
                error = failed
        raise error

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        raise Refused("a socket of this machine is no page")

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, _left(self._until, seconds)))


class _Timed(httpcore.NetworkStream):
    """A stream on which every wait ends with the fetch: a server that sends one byte a second cannot hold it longer."""

    def __init__(self, stream: httpcore.NetworkStream, until: float) -> None:
        self._stream = stream
        self._until = until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._until, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._until, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(self._until, CONNECT_SECONDS)
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, left), self._until)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


def _left(until: float, most: float | None) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise Late
    return left if most is None else min(left, most)
