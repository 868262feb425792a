"""What hostile code tries from inside the child, and how each try must end.

Each runs with the names of `ground.Ground.names` in its namespace. `expect` is searched for in everything the step gave
back; what must *not* have happened is checked from outside, by `ground.Ground.traces`.
"""

from __future__ import annotations

from dataclasses import dataclass

REFUSED = r"PermissionError: \[Errno (1|13)\]"
ERRNO = r"^-1 1$"  # what `libc` prints below when the kernel said EPERM
NO_SHELL = "^(-1|32512)$"  # system(3) could not fork; newer C libraries say so with a shell's 127
LIBC = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
# Ask the parent and do not listen: the kernel signals about data only where nobody waits for it.
HEAR = (
    "import json, struct, time\n"
    "body = json.dumps({'t': 'call', 'name': 'search', 'args': ['x'], 'kwargs': {}}).encode()\n"
    "os.write(fd, struct.pack('>I', len(body)) + body)\ntime.sleep(0.2)"
)


@dataclass(frozen=True, slots=True)
class Attack:
    name: str
    code: str
    expect: str


def libc(name: str, call: str) -> Attack:
    return Attack(name, f"{LIBC}print({call}, ctypes.get_errno())", ERRNO)


def forge(name: str, frame: str, expect: str) -> Attack:
    """Write bytes to the parent behind the back of the child's own program."""
    return Attack(name, f"import json, os, struct, sys\nframe = {frame}\nos.write(int(sys.argv[1]), frame)", expect)


def message(body: str) -> str:
    return f"(lambda b: struct.pack('>I', len(b)) + b)({body})"


NETWORK = [
    Attack("tcp", "import socket\nsocket.create_connection(('127.0.0.1', TCP), 1)", REFUSED),
    Attack("udp", "import socket\nsocket.socket(2, 2).sendto(b'x', ('127.0.0.1', UDP))", REFUSED),
    Attack("abstract socket", "import socket\nsocket.socket(1, 1).connect(chr(0) + ABSTRACT)", REFUSED),
    Attack("dns", "import socket\nprint(socket.getaddrinfo('localhost', 80))", "gaierror"),
    libc("socket by libc", "libc.socket(2, 1, 0)"),
]

READING = [
    Attack("/etc/shadow", "print(open('/etc/shadow').read())", REFUSED),
    Attack("/etc/passwd", "print(open('/etc/passwd').read())", REFUSED),
    Attack("a secret file", "print(open(FOLDER + '/secret.env').read())", REFUSED),
    Attack("the parent's environment", "import os\nprint(open(f'/proc/{os.getppid()}/environ').read())", REFUSED),
    Attack(
        "its own environment", "import os\nprint(sorted(os.environ))", r"^\[('LC_CTYPE')?(, )?('LD_LIBRARY_PATH')?\]$"
    ),
    Attack("its environment by /proc", "print(open('/proc/self/environ').read())", REFUSED),
    Attack("list /", "import os\nprint(os.listdir('/'))", REFUSED),
    Attack("list the home", "import os\nprint(os.listdir(HOME))", REFUSED),
    Attack(
        "inherited descriptors",
        "import json, os, sys\nfound = set()\nfor fd in range(1024):\n"
        "    try: os.fstat(fd); found.add(fd)\n    except OSError: pass\n"
        "print(sorted(found - {0, 1, 2, int(sys.argv[1]), json.loads(sys.argv[2])['lifeline']}))",
        r"^\[\]$",
    ),
]

WRITING = [
    Attack("write a file", "open(FOLDER + '/pwned', 'w').write('x')", REFUSED),
    Attack(
        "write into the library",
        "import json, os\nopen(os.path.dirname(json.__file__) + '/hoplite_pwned.py', 'w').write('x')",
        REFUSED,
    ),
    Attack("truncate while reading", "import os\nos.open(FOLDER + '/secret.env', os.O_RDONLY | os.O_TRUNC)", REFUSED),
    Attack("unlink", "import os\nos.unlink(FOLDER + '/secret.env')", REFUSED),
    Attack("chmod", "import os\nos.chmod(FOLDER + '/secret.env', 0o777)", REFUSED),
]

PROCESSES = [
    Attack("subprocess", "import subprocess\nprint(subprocess.check_output(['/bin/id']))", REFUSED),
    Attack("os.system", "import os\nprint(os.system(f'id > {FOLDER}/pwned'))", NO_SHELL),
    Attack("fork", "import os\nprint(os.fork())", REFUSED),
    Attack("fork bomb", "import os\nfor _ in range(50): os.fork()", REFUSED),
    Attack("exec", "import os\nos.execv('/bin/sh', ['sh', '-c', f'id > {FOLDER}/pwned'])", REFUSED),
    Attack("thread", "import threading\nthreading.Thread(target=print).start()", "can't start new thread"),
    Attack(
        "a way to os.system without an import",
        "[c for c in ().__class__.__base__.__subclasses__() if c.__name__ == '_wrap_close']"
        "[0].__init__.__globals__['system'](f'id > {FOLDER}/pwned')",
        NO_SHELL,
    ),
    Attack("signal the parent", "import os, signal\nos.kill(os.getppid(), signal.SIGUSR1)", REFUSED),
    Attack(
        "have the kernel signal the parent",
        "import fcntl, os, signal, sys\nfd = int(sys.argv[1])\nfcntl.fcntl(fd, fcntl.F_SETOWN, os.getppid())\n"
        "fcntl.fcntl(fd, 10, signal.SIGUSR1)\nfcntl.fcntl(fd, fcntl.F_SETFL, os.O_ASYNC)\n" + HEAR,
        REFUSED,
    ),
    Attack(
        "the same by ioctl",
        "import fcntl, os, struct, sys\nfd = int(sys.argv[1])\n"
        "fcntl.ioctl(fd, 0x8901, struct.pack('i', os.getppid()))\nfcntl.ioctl(fd, 0x5452, struct.pack('i', 1))\n"
        + HEAR,
        REFUSED,
    ),
    Attack("setuid", "import os\nos.setuid(0)", REFUSED),
    Attack(
        "raise a ceiling",
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 34, 1 << 34))",
        "ValueError|Error: .*not",
    ),
]

KERNEL = [
    libc("ptrace", "libc.ptrace(16, os.getppid(), 0, 0)"),
    libc("process_vm_readv", "libc.process_vm_readv(os.getppid(), 0, 0, 0, 0, 0)"),
    libc("io_uring", "libc.syscall(425, 1, 0)"),
    libc("bpf", "libc.syscall({'x86_64': 321, 'aarch64': 280}[os.uname().machine], 0, 0, 0)"),
    libc("user namespace", "libc.unshare(0x10000000)"),
    libc("mount", "libc.mount(b'none', b'/tmp', b'tmpfs', 0, 0)"),
    libc("memfd", "libc.memfd_create(b'x', 0)"),
    libc("another filter", "libc.prctl(22, 2, 0, 0, 0)"),
]

EXHAUSTION = [
    Attack("a gigabyte at once", "bytearray(1 << 30)", "MemoryError"),
    # Which limit it meets first depends on how fast the machine hands out pages; either ends it.
    Attack(
        "growing without end",
        "x = []\nwhile True: x.append(bytearray(1_000_000))",
        "MemoryError|died: CPU limit",
    ),
    Attack("spinning", "while True: pass", "died: CPU limit"),
    Attack(
        "spinning against signals",
        "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))\n"
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "died: CPU limit",
    ),
    Attack("sleeping", "import time\ntime.sleep(100)", "died: time limit"),
    Attack(
        "calling without end", "while True:\n    try: search('x')\n    except ToolError: pass", "died: (time|CPU) limit"
    ),
    Attack("recursion", "def f(): return f()\nf()", "RecursionError"),
    Attack(
        "printing 30 MB", "for _ in range(3_000): print('x' * 10_000)", r"\[29953000 more characters were printed\]"
    ),
    Attack("returning 50 MB", "'x' * 50_000_000", r"\[too long to show\]"),
    Attack("a power too high", "10 ** 10 ** 8", "died: CPU limit|MemoryError"),
    Attack("a pattern too slow", "import re\nre.match('(a+)+$', 'a' * 40 + 'b')", "died: CPU limit"),
]

PROTOCOL = [
    Attack("segfault", "import ctypes\nctypes.string_at(0)", "died: it crashed with SIGSEGV"),
    Attack("sys.exit", "import sys\nsys.exit(3)", "SystemExit: 3"),
    Attack("os._exit", "import os\nos._exit(7)", "died: it exited with status 7"),
    Attack("hanging up", "import os, sys\nos.close(int(sys.argv[1]))", "died: "),
    Attack("a lone surrogate", "print('\\ud800')", r"^\?$"),
    forge("a forged length", "b'\\xff' * 4", "died: it sent a message of 4294967295 bytes"),
    forge(
        "a forged call",
        message("json.dumps({'t': 'call', 'name': 'os.system', 'args': ['id'], 'kwargs': {}}).encode()"),
        "^$",
    ),
    forge(
        "a call of no shape",
        message("json.dumps({'t': 'call', 'name': 'search', 'args': 7}).encode()"),
        "died: it broke",
    ),
    forge("a result of no shape", message("json.dumps({'t': 'done', 'printed': 7}).encode()"), "died: it broke"),
    forge("no JSON", message("b'\\xff{'"), "died: it broke"),
    forge("JSON without bottom", message("b'[' * 100_000"), "died: it broke"),
    forge("a number without end", message("b'{\"t\": ' + b'9' * 1_000_000 + b'}'"), "died: it broke"),
    forge(
        "a surrogate in a forged result",
        message('b\'{"t": "done", "printed": "\\\\ud800", "error": null, "final": false}\''),
        r"^\?",
    ),
    Attack(
        "an unknown tool",
        "import sys\nsys.modules['__main__'].stub(search.__closure__[0].cell_contents, 'rm_rf')('/')",
        "ToolError: there is no 'rm_rf'",
    ),
]

# What the interpreter level has beside CPython's: its own few modules, and the bindings between it and us.
INTERPRETER = [
    Attack("an asynchronous connection", "import asyncio\nasyncio.open_connection('127.0.0.1', TCP)", "AttributeError"),
    Attack("read by pathlib", "import pathlib\npathlib.Path(FOLDER + '/secret.env').read_text()", "PermissionError"),
    Attack("read bytes", "open(FOLDER + '/secret.env', 'rb').read()", "PermissionError"),
    Attack("a path with dots", "open('/usr/../' + FOLDER + '/secret.env').read()", "PermissionError"),
    Attack("a relative path", "import os\nos.chdir(FOLDER)\nopen('secret.env').read()", "Error: "),
    Attack("list by pathlib", "import pathlib\nlist(pathlib.Path(FOLDER).iterdir())", "PermissionError"),
    Attack("stat", "import os\nos.stat(FOLDER + '/secret.env')", "Error: "),
    Attack("exists", "import pathlib\npathlib.Path(FOLDER + '/secret.env').exists()", "^False$|Error: "),
    Attack("the home", "import pathlib\npathlib.Path.home()", "Error: "),
    Attack("a variable", "import os\nos.getenv('OPENAI_API_KEY')", "RuntimeError"),
    Attack("write by pathlib", "import pathlib\npathlib.Path(FOLDER + '/pwned').write_text('x')", "PermissionError"),
    Attack("append", "open(FOLDER + '/secret.env', 'a').write('x')", "PermissionError"),
    Attack("make a folder", "import os\nos.mkdir(FOLDER + '/pwned')", "PermissionError"),
    Attack("rename", "import os\nos.rename(FOLDER + '/secret.env', FOLDER + '/pwned')", "Error: "),
    Attack("a package from elsewhere", "# /// script\n# dependencies = ['six']\n# ///\nimport six", "ModuleNotFound"),
    Attack("eval of an import", "eval('__import__(\"os\")')", "NameError"),
    Attack("the globals of a tool", "search.__globals__", "AttributeError"),
    Attack("attributes by format", "'{0.__class__.__init__.__globals__}'.format(search)", "AttributeError"),
    Attack("attributes by name", "getattr(search, '__closure__')", "AttributeError"),
    Attack("half a gigabyte of text", "'a' * (1 << 29)", "MemoryError"),
    Attack("growing text", "x = []\nwhile True: x.append('a' * 1_000_000)", "MemoryError|died: CPU limit"),
    Attack(
        "growing and catching",
        "x = []\nwhile True:\n    try: x.append('a' * 1_000_000)\n    except: pass",
        "died: |MemoryError",
    ),
    Attack(
        "spinning and catching", "while True:\n    try:\n        while True: pass\n    except: pass", "died: CPU limit"
    ),
    Attack("a deep literal", "eval('[' * 100_000 + ']' * 100_000)", "Error: |died: "),
    Attack("a deep value", "x = []\nfor _ in range(100_000): x = [x]\nx", "Error: |died: |too long|^\\["),
    Attack("a value that holds itself", "x = []\nx.append(x)\nx", r"^\[|Error: "),
    Attack("a long number", "str(10 ** 5000)", "Error: |^1000"),
    Attack("a long argument", "search('x' * 20_000_000)", "at most 8388608 pass"),
    Attack("a deep argument", "x = []\nfor _ in range(5_000): x = [x]\nsearch(x)", "Error: |died: "),
    Attack("names without end", "for i in range(100): search(k=i)", r"^$"),
]

ATTACKS = [*NETWORK, *READING, *WRITING, *PROCESSES, *KERNEL, *EXHAUSTION, *PROTOCOL]
