"""A way into the cluster from outside: ``forward.py DESCRIPTOR HOST PORT`` joins connections to one inside.

It runs in the node's network namespace; the socket on which it accepts, which it inherits, was made outside.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys

__all__: list[str] = []

CHUNK = 65536


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()
    with contextlib.suppress(OSError):
        target.write_eof()


async def _serve(descriptor: int, host: str, port: int) -> None:
    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection(host, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))
        there_writer.close()
        writer.close()

    server = await asyncio.start_server(join, sock=socket.socket(fileno=descriptor))
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
