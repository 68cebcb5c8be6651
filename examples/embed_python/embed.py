"""The cache inside a Python program: pip install wasmtime, then python embed.py wasmcached.wasm"""
import struct, sys, time, wasmtime

OUTPUT, MORE, RUNS = 1, 2, 8  # Bits of a status.
MEMORY_LIMIT = 4  # A request to the host.

def call(verb, *arguments):
    return guest[verb](store, *arguments)

def unpack(form, at):
    return struct.unpack(form, memory.read(store, at, at + struct.calcsize(form)))

def answer(request, argument):
    return bytes([call("limit", argument)]) if request == MEMORY_LIMIT else b""  # Statistics of a host remain 0.

def execute(request):  # At most 64 KiB, the size of the window.
    call("input", connection)
    memory.write(store, request, unpack("<I", mailbox)[0])
    status, replies = call("advance", connection, len(request), int(time.time())), b""
    while status & (OUTPUT | MORE | RUNS):
        _, _, output, length, runs, count = unpack("<6I", mailbox)
        if status & RUNS:  # All runs of a guest without shards are requests to the host.
            for run in range(count):
                reply = answer(*unpack("<IQ", unpack("<6I", runs + 24 * run)[1]))
                memory.write(store, reply, call("reply", run, 1, len(reply)))
            status = call("resume", int(time.time()))
        elif status & OUTPUT:
            replies += memory.read(store, output, output + length)
            status = call("consume", connection, length)
        else:
            status = call("advance", connection, 0, int(time.time()))
    return replies.decode()

store = wasmtime.Store()
guest = wasmtime.Instance(store, wasmtime.Module.from_file(store.engine, sys.argv[1]), []).exports(store)
assert call("abi_version") == 5, "the module has another boundary"
memory, mailbox, connection = guest["memory"], call("create", 0, int(time.time())), call("open", 0)
requests = b"set greeting 0 0 5\r\nhello\r\n", b"get greeting\r\n", b"cache_memlimit 32\r\n", b"stats\r\n"
print(*map(execute, requests), sep="", end="")
