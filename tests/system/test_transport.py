"""Encryption of the doors: TLS for callers over HTTP, mutual TLS for the console, CURVE for ZeroMQ; certificates replaced while they are used;
strangers, stallers and those who speak in the clear. The certificates are made by openssl, as docs/operations.md says."""
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest
import zmq

from authority import Authority
from harness import BIN, SLOW, Dealer, Gateway, chat_body, expected_text, http_json, model, provider, resident_mib, wait_for

MORE_MIB = 300 if "sanitize" in os.environ.get("MAINSTAY_BIN", "") else 30  # with their bookkeeping
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # versions that nobody should speak any more


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


class Closed(Gateway):
    """A gateway whose doors are encrypted: `more` per door, and the section tls."""

    def __init__(self, directory, config, more, tls=None, **options):
        self.more, self.tls = more, tls
        super().__init__(directory, config, **options)

    def write(self, config):
        doors = {name: {**door, **self.more.get(name, {})} for name, door in config["doors"].items()}
        super().write({**config, "doors": doors, **({"tls": self.tls} if self.tls else {})})

    def reload(self):
        """By the signal, for the console may be closed to us."""
        before = self.log().count("reload: ")
        self.signal(signal.SIGHUP)
        wait_for(lambda: self.log().count("reload: ") > before)
        return self.log()


def config(mock):
    return {"providers": [provider("a", mock)], "models": [model("smart", "a/m")]}


def trust(authority, **options):
    context = ssl.create_default_context(cafile=authority.path("pem"))
    for name, value in options.items():
        setattr(context, name, value)
    return context


@contextlib.contextmanager
def caller(gateway, context):
    c = http.client.HTTPSConnection("localhost", gateway.http, timeout=30 * SLOW, context=context)
    try:
        yield c
    finally:
        c.close()


def ask(c, question, stream=False):
    """Status, and whether the answer was whole."""
    c.request("POST", "/v1/chat/completions", json.dumps(chat_body(question, stream)), {"content-type": "application/json"})
    r = c.getresponse()
    body = r.read().decode()
    if stream:
        events = [json.loads(line[6:]) for line in body.splitlines() if line.startswith("data: {")]
        text = "".join(ch["delta"].get("content") or "" for e in events for ch in e["choices"])
        return r.status, text == expected_text(question) and body.endswith("data: [DONE]\n\n")
    return r.status, json.loads(body)["choices"][0]["message"]["content"] == expected_text(question)


def serial(c):
    return c.sock.getpeercert()["serialNumber"]


def test_callers_over_tls_are_answered_whole_and_others_are_refused(start, authority, tmp_path):
    files = authority.issue("door")
    gateway = start.keep(Closed(tmp_path, config(start.mock()), {"http": {"tls": files}}))
    assert f"https://127.0.0.1:{gateway.http}/v1" in gateway.log()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with caller(gateway, trust(authority, minimum_version=version, maximum_version=version)) as c:
            for i in range(5):
                assert ask(c, f"question {i}", stream=i % 2 == 1) == (200, True)
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.http}", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
                          capture_output=True, text=True, input="")
    assert done.returncode != 0 and "protocol version" in done.stderr
    with pytest.raises(ssl.SSLCertVerificationError), caller(gateway, ssl.create_default_context()) as c:
        c.connect()
    status, _, body = http_json(gateway.http, "POST", "/v1/chat/completions", chat_body("in the clear"))
    assert status == 400 and body["error"]["code"] == "tls_required" and "https://" in body["error"]["message"]
    assert ssl.get_server_certificate(("127.0.0.1", gateway.http)).startswith("-----BEGIN")
    with pytest.raises(ssl.SSLError), caller(gateway, trust(authority)) as c:  # TLS to a door in the clear
        c.port = gateway.metrics_port
        c.connect()


def test_the_metrics_door_speaks_tls_as_well(start, authority, tmp_path):
    files = authority.issue("door")

    class Watched(Closed):
        def ready(self):
            """the gateway is ready"""
            assert self.alive(), self.log()
            return "is ready" in self.log()
    gateway = start.keep(Watched(tmp_path, config(start.mock()), {"metrics": {"tls": files}}))
    c = http.client.HTTPSConnection("localhost", gateway.metrics_port, timeout=30, context=trust(authority))
    c.request("GET", "/metrics")
    assert "mainstay_actor_restarts_total" in c.getresponse().read().decode()
    c.close()
    assert http_json(gateway.metrics_port, "GET", "/metrics")[0] == 400


def test_certificates_change_under_load_and_no_request_fails(start, authority, tmp_path):
    files = authority.issue("door")
    gateway = start.keep(Closed(tmp_path, config(start.mock()), {"http": {"tls": files}}))
    over, wrong, seen, asked = threading.Event(), [], set(), [0] * 4

    def go_on(number):
        context, i = trust(authority), 0
        while not over.is_set():
            try:
                with caller(gateway, context) as c:
                    for _ in range(1 if number % 2 else 5):
                        answer = ask(c, f"caller {number} asks {i}", stream=i % 2 == 0)
                        seen.add(serial(c))
                        asked[number] += 1
                        i += 1
                        if answer != (200, True):
                            wrong.append(answer)
            except Exception as e:
                wrong.append(e)

    threads = [threading.Thread(target=go_on, args=(i,)) for i in range(4)]
    with caller(gateway, trust(authority)) as old:
        assert ask(old, "before") == (200, True)
        first = serial(old)
        for t in threads:
            t.start()
        for i in range(5):
            authority.issue("door")
            assert "is in force" in str(gateway.ctl("reload")), gateway.log()
            before = list(asked)
            wait_for(lambda: all(a > b + 5 for a, b in zip(asked, before)), 60)
        over.set()
        for t in threads:
            t.join()
        assert not wrong, wrong[:3]
        assert len(seen) >= 6
        assert ask(old, "after") == (200, True) and serial(old) == first, "who was there goes on"


def test_a_wrong_certificate_keeps_the_last_good_one(start, authority, tmp_path):
    files = authority.issue("door")
    gateway = start.keep(Closed(tmp_path, config(start.mock()), {"http": {"tls": files}}))
    good = pathlib.Path(files["cert"]).read_text()
    with caller(gateway, trust(authority)) as c:
        assert ask(c, "first") == (200, True)
        first = serial(c)
    other = authority.issue("other")
    for bad, says in ((b"rubbish", "holds no certificate"), (pathlib.Path(other["cert"]).read_bytes(), "does not belong to the certificate"),
                      (good[:200].encode(), "cannot be read"), (None, "No such file")):
        pathlib.Path(files["cert"]).unlink(missing_ok=True)
        if bad is not None:
            pathlib.Path(files["cert"]).write_bytes(bad)
        refused = gateway.ctl("reload", check=False)
        assert files["cert"] in str(refused) and says in str(refused), refused
        checked = subprocess.run([BIN / "mainstayd", "--config", gateway.file, "--check"], capture_output=True, text=True)
        assert checked.returncode == 2 and says in checked.stderr and "doors.http.tls" in checked.stderr
        with caller(gateway, trust(authority)) as c:
            assert ask(c, "and still") == (200, True) and serial(c) == first
    authority.issue("door")
    gateway.ctl("reload")
    with caller(gateway, trust(authority)) as c:
        assert ask(c, "at last") == (200, True) and serial(c) != first
    gateway.more = {}  # the address is bound as it was: without a restart it must not open up
    gateway.write(gateway.config)
    assert "doors.http.tls: takes effect with a restart; until then the door keeps what it has" in str(gateway.ctl("reload"))
    with caller(gateway, trust(authority)) as c:
        assert ask(c, "still closed") == (200, True)


def test_thousands_of_half_handshakes_and_garbage_hold_up_nobody(start, authority, tmp_path):
    files = authority.issue("door")
    gateway = start.keep(Closed(tmp_path, config(start.mock()), {"http": {"tls": files}}, through=("prlimit", "--nofile=400")))
    before, context, held = resident_mib(gateway), trust(authority), []
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40)  # and nothing after it

    def stall(i):
        s = socket.create_connection(("127.0.0.1", gateway.http), 10 * SLOW)
        s.sendall(hello[: 1 + i % len(hello)] if i % 3 else os.urandom(300))
        return s

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        held = list(pool.map(stall, range(2000)))
    assert gateway.alive() and resident_mib(gateway) < before + MORE_MIB
    assert http_json(gateway.metrics_port, "GET", "/readyz")[0] == 200, "the other doors have their descriptors"
    assert gateway.status()["in_flight"] == 0
    for s in held[200:]:
        s.close()
    with caller(gateway, context) as c:  # those who stall are let go within the head's time
        assert ask(c, "through it all") == (200, True)
    for s in held[:200]:
        s.close()


def ctl(gateway, *words, tls=None, env=None):
    options = [w for k, v in (tls or {}).items() for w in (f"--tls-{k}", v)]
    done = subprocess.run([BIN / "mainstayctl", "--node", f"127.0.0.1:{gateway.admin}", *options, "--json", *words], capture_output=True, text=True,
                          timeout=60 * SLOW, env={**os.environ, **(env or {})})
    return done.returncode, done.stdout + done.stderr


def test_the_console_takes_certificates_of_its_authority_alone(start, authority, tmp_path):
    ca, stranger_ca = str(authority.path("pem")), Authority(tmp_path, "stranger-ca")
    node, console = {**authority.issue("node"), "ca": ca}, {**authority.issue("console"), "ca": ca}
    stranger = {**stranger_ca.issue("stranger"), "ca": str(stranger_ca.path("pem"))}
    gateway = start.keep(Closed(tmp_path, config(start.mock()), {}, tls=node))

    def works(tls=console):
        code, said = ctl(gateway, "status", tls=tls)
        return code == 0 and json.loads(said)["in_flight"] == 0
    assert works()
    assert ctl(gateway, "status", env={f"MAINSTAY_TLS_{k.upper()}": v for k, v in console.items()})[0] == 0
    for wrong, says in ((None, "it speaks TLS: give --tls-cert, --tls-key and --tls-ca"),
                        (stranger, "its certificate was not issued by the authority in --tls-ca"),
                        ({**console, "key": node["key"]}, "does not belong to the certificate"),
                        ({"cert": console["cert"]}, "go together"),
                        ({**console, "cert": str(tmp_path / "nowhere")}, "No such file")):
        code, said = ctl(gateway, "status", tls=wrong)
        assert code == 2 and says in said, (wrong, said)
    # One that trusts both authorities finds out what the node thinks of its own certificate.
    both = tmp_path / "both.pem"
    both.write_text(pathlib.Path(ca).read_text() + stranger_ca.path("pem").read_text())
    code, said = ctl(gateway, "status", tls={**stranger, "ca": str(both)})
    assert code == 2 and "it refuses this console's certificate: " in said, said
    held = [socket.create_connection(("127.0.0.1", gateway.admin)) for _ in range(50)]
    for i, s in enumerate(held):
        if i % 2:
            s.sendall(os.urandom(500) if i % 4 == 1 else b"\x16\x03\x01\x02\x00\x01")
    assert works() and gateway.chat("unharmed").complete("unharmed")
    for s in held:
        s.close()
    assert works()


def test_strangers_cannot_keep_the_console_busy_or_use_up_the_descriptors(start, authority, tmp_path):
    ca = str(authority.path("pem"))
    node, console = {**authority.issue("node"), "ca": ca}, {**authority.issue("console"), "ca": ca}
    gateway = start.keep(Closed(tmp_path, config(start.mock()), {}, tls=node, through=("prlimit", "--nofile=400")))
    descriptors = lambda: len(os.listdir(f"/proc/{gateway.pid}/fd"))
    before = descriptors()
    watching = subprocess.Popen([BIN / "mainstayctl", "--node", f"127.0.0.1:{gateway.admin}", *(w for k, v in console.items() for w in (f"--tls-{k}", v)), "--json"],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def still_there():
        watching.stdin.write("queue\n")
        watching.stdin.flush()
        return json.loads(watching.stdout.readline())
    assert still_there()
    held = []
    for i in range(300):
        s = socket.create_connection(("127.0.0.1", gateway.admin), 10 * SLOW)
        if i % 2:
            s.sendall(b"\x16\x03\x01\x02\x00\x01")
        held.append(s)
        assert i % 100 or ctl(gateway, "status", tls=console)[0] == 0
    assert ctl(gateway, "status", tls=console)[0] == 0 and gateway.alive()
    assert descriptors() <= before + 30
    assert gateway.chat("unharmed").complete("unharmed")
    assert still_there(), "who has shown a certificate is not shown out"
    for s in held:
        s.close()
    wait_for(lambda: descriptors() <= before + 2)
    assert watching.communicate("", 20 * SLOW) and watching.returncode == 0


def test_only_named_certificates_open_the_console_and_a_reload_changes_who(start, authority, tmp_path):
    ca = str(authority.path("pem"))
    node, alice, bob = ({**authority.issue(name), "ca": ca} for name in ("node", "alice", "bob"))
    gateway = start.keep(Closed(tmp_path, config(start.mock()), {"admin": {"clients": ["alice"]}}, tls=node))
    assert ctl(gateway, "status", tls=alice)[0] == 0
    for other in (bob, node):
        code, said = ctl(gateway, "status", tls=other)
        assert code == 2 and "it refuses this console's certificate: " in said, said
    watching = subprocess.Popen([BIN / "mainstayctl", "--node", f"127.0.0.1:{gateway.admin}", *(w for k, v in alice.items() for w in (f"--tls-{k}", v)), "--json"],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    watching.stdin.write("queue\n")
    watching.stdin.flush()
    assert json.loads(watching.stdout.readline())
    gateway.more = {"admin": {"clients": ["bob", "carol"]}}
    gateway.write(gateway.config)
    gateway.reload()
    assert ctl(gateway, "status", tls=bob)[0] == 0
    assert ctl(gateway, "status", tls=alice)[0] == 2
    said, _ = watching.communicate("queue\n", 20 * SLOW)
    assert said == "" and watching.returncode == 2, "who is no operator any more has no console either"
    gateway.more = {"admin": {"clients": ["localhost"]}}  # a DNS name that all of them have
    gateway.write(gateway.config)
    gateway.reload()
    assert ctl(gateway, "status", tls=alice)[0] == ctl(gateway, "status", tls=bob)[0] == 0
    gateway.more = {}
    gateway.write(gateway.config)
    gateway.reload()
    assert ctl(gateway, "status", tls=node)[0] == 0, "nobody named: whom the authority issued one"


def test_a_handshake_with_the_console_that_stalls_takes_no_processor_and_is_ended(start, authority, tmp_path):
    ca = str(authority.path("pem"))
    node, console = {**authority.issue("node"), "ca": ca}, {**authority.issue("console"), "ca": ca}
    gateway = start.keep(Closed(tmp_path, config(start.mock()), {}, tls=node))

    def processor_seconds():
        fields = pathlib.Path(f"/proc/{gateway.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    assert ctl(gateway, "status", tls=console)[0] == 0
    before, held = processor_seconds(), []
    for i in range(20):
        s = socket.create_connection(("127.0.0.1", gateway.admin), 10 * SLOW)
        s.settimeout(20 * SLOW)
        if i % 2:
            s.sendall(b"\x16\x03\x01\x02\x00\x01")
        held.append(s)
    began = time.monotonic()
    for s in held:
        assert s.recv(100) == b"", "the node hangs up"
    assert 3 < time.monotonic() - began < 15 * SLOW
    assert processor_seconds() - before < 1, "nobody asks them again and again"
    assert ctl(gateway, "status", tls=console)[0] == 0
    held = [socket.create_connection(("127.0.0.1", gateway.admin), 10 * SLOW) for _ in range(5)]
    assert gateway.stop() == 0, "and nobody is waited for in the end"


def test_a_reload_lets_handshakes_under_way_go_on_and_judges_them_by_what_is_in_force_when_they_are_over(start, authority, tmp_path):
    ca = str(authority.path("pem"))
    node, alice = {**authority.issue("node"), "ca": ca}, authority.issue("alice")
    gateway = start.keep(Closed(tmp_path, config(start.mock()), {}, tls=node))
    context = ssl.create_default_context(cafile=ca)
    context.load_cert_chain(alice["cert"], alice["key"])

    @contextlib.contextmanager
    def under_way():
        """A connection whose handshake waits for what the caller says next."""
        with socket.create_connection(("127.0.0.1", gateway.admin), 10 * SLOW) as s:
            inbound, outbound = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(inbound, outbound, server_hostname="localhost")
            with pytest.raises(ssl.SSLWantReadError):
                tls.do_handshake()
            s.sendall(outbound.read())
            while True:
                inbound.write(s.recv(1 << 16))
                with contextlib.suppress(ssl.SSLWantReadError):
                    tls.do_handshake()
                    break

            def finish():
                """What the node says first to whom it lets in; nothing: it hangs up."""
                s.sendall(outbound.read())
                with contextlib.suppress(ConnectionError):
                    return s.recv(1 << 16)
                return b""
            yield finish

    with under_way() as finish:
        gateway.reload()
        assert finish()
    with under_way() as finish:
        gateway.more = {"admin": {"clients": ["bob"]}}
        gateway.write(gateway.config)
        gateway.reload()
        assert not finish()


def test_the_consoles_certificate_and_authority_are_replaced_with_a_reload_and_bad_files_never_reach_it(start, authority, tmp_path):
    ca = tmp_path / "trusted.pem"
    ca.write_text(authority.path("pem").read_text())
    node, console = {**authority.issue("node"), "ca": str(ca)}, {**authority.issue("console"), "ca": str(ca)}
    gateway = start.keep(Closed(tmp_path, config(start.mock()), {}, tls=node))
    assert ctl(gateway, "status", tls=console)[0] == 0
    for file in node.values():
        good = pathlib.Path(file).read_bytes()
        pathlib.Path(file).write_bytes(good[:100])  # as a copy that was cut off
        code, said = ctl(gateway, "status", tls={**console, "ca": str(authority.path("pem"))})
        assert code == 0, said
        assert "the last good one stays" in gateway.reload()
        assert ctl(gateway, "status", tls={**console, "ca": str(authority.path("pem"))})[0] == 0 and gateway.alive()
        pathlib.Path(file).write_bytes(good)
    successor = Authority(tmp_path, "successor")
    successor.issue("node")
    ca.write_text(successor.path("pem").read_text())
    gateway.reload()
    heirs = {**successor.issue("heir"), "ca": str(ca)}
    assert ctl(gateway, "status", tls=heirs)[0] == 0
    assert ctl(gateway, "status", tls={**console, "ca": str(authority.path("pem"))})[0] == 2


class Boxed(Dealer):
    """A caller with CURVE."""

    def __init__(self, url, server, keys, kind=zmq.DEALER, timeout=60):
        self.socket = self.context.socket(kind)
        self.socket.linger = 0
        self.socket.rcvtimeo = int(timeout * SLOW * 1000)
        self.socket.curve_serverkey, (self.socket.curve_publickey, self.socket.curve_secretkey) = server, keys
        self.socket.connect(url)


def test_callers_over_zeromq_are_known_by_their_keys(start, tmp_path):
    (public, secret), app, second, stranger = (zmq.curve_keypair() for _ in range(4))
    curve = {"secret_key": "${DOOR_KEY}", "clients": [app[0].decode(), second[0].decode()]}
    gateway = start.keep(Closed(tmp_path, config(start.mock()), {"zmq": {"curve": curve}}, env={"DOOR_KEY": secret.decode()}))
    assert f"CURVE with the public key {public.decode()}" in gateway.log() and secret.decode() not in gateway.log()

    def gets_nothing(dealer):
        with dealer as d, pytest.raises(zmq.Again):
            d.socket.rcvtimeo = d.socket.sndtimeo = 500  # libzmq may have given the connection up already
            d.chat("let me in")
    with Boxed(gateway.zmq_url, public, app) as a, Boxed(gateway.zmq_url, public, second) as b:
        for d in (a, b):
            assert d.chat("plain").complete("plain")
            assert d.chat("streamed", stream=True).complete("streamed")
        long = "long " * 50_000
        assert a.chat(long).complete(long)
        with Boxed(gateway.zmq_url, public, app, kind=zmq.REQ) as r:
            r.socket.send_multipart([b"1", b"chat", b"{}", json.dumps(chat_body("by REQ")).encode()])
            assert r.answer().complete("by REQ")
        gets_nothing(Boxed(gateway.zmq_url, public, stranger))
        gets_nothing(Boxed(gateway.zmq_url, stranger[0], app))  # another server's key
        gets_nothing(Dealer(gateway.zmq_url))
        curve["clients"] = [second[0].decode()]
        gateway.write(gateway.config)
        gateway.ctl("reload")
        gets_nothing(Boxed(gateway.zmq_url, public, app))
        a.socket.rcvtimeo = a.socket.sndtimeo = 500
        with pytest.raises(zmq.Again):
            a.chat("the connection that was open")
        assert b.chat("still here").complete("still here")


def test_garbage_and_half_handshakes_at_the_door_with_curve_harm_nobody(start, tmp_path):
    (public, secret), app = zmq.curve_keypair(), zmq.curve_keypair()
    curve = {"secret_key": secret.decode(), "clients": [app[0].decode()]}
    gateway = start.keep(Closed(tmp_path, config(start.mock()), {"zmq": {"curve": curve}}))
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"CURVE".ljust(20, b"\0") + bytes(32)
    hello = b"\x04\xc8\x05HELLO\x01\x00" + bytes(72) + os.urandom(32) + bytes(7) + b"\x01" + os.urandom(80)
    before, held = resident_mib(gateway), []
    with Boxed(gateway.zmq_url, public, app) as d:
        for i in range(600):
            s = socket.create_connection(("127.0.0.1", gateway.zmq_port))
            s.sendall((greeting[: i % 64], greeting + hello[: i % 200], greeting + hello, greeting + os.urandom(300), greeting + b"\x06" + b"\x7f" * 8)[i % 5])
            held.append(s)
            if i % 100 == 0:
                assert d.chat(f"honest {i}").complete(f"honest {i}")
        assert gateway.alive() and resident_mib(gateway) < before + MORE_MIB
        for s in held:
            s.close()
        assert d.chat("at last").complete("at last")


def test_off_loopback_nothing_starts_in_the_clear_unless_that_is_said(start, authority, tmp_path):
    files, key = authority.issue("door"), "0123456789abcdef"
    base = {**config(start.mock()), "clients": [{"name": "app", "key": key}]}

    def started(doors, more=None):
        path = tmp_path / "exposed.yaml"
        path.write_text(json.dumps({"doors": doors, **base, **(more or {})}))
        return subprocess.run([BIN / "mainstayd", "--config", path], capture_output=True, text=True, timeout=20 * SLOW)
    here = {"http": {"listen": "127.0.0.1:0"}}
    for doors, says in (({"http": {"listen": "0.0.0.0:0"}}, "doors.http.listen: listens off loopback, where others could read along: add tls"),
                        ({"zmq": {"listen": "tcp://0.0.0.0:0"}}, "doors.zmq.listen: listens off loopback, where others could read along: add curve"),
                        ({**here, "metrics": {"listen": "0.0.0.0:0", "token": key}}, "doors.metrics.listen: listens off loopback, where others could read along: add tls"),
                        ({**here, "admin": {"listen": "0.0.0.0:0"}}, "doors.admin.listen: listens off loopback, where anybody could call: add the section tls")):
        done = started(doors)
        assert done.returncode == 2 and says in done.stderr, done.stderr

    class Exposed(Closed):
        def write(self, config):
            super().write({**config, "doors": {**config["doors"], "http": {"listen": f"0.0.0.0:{self.http}"}}})
    gateway = start.keep(Exposed(tmp_path, base, {"http": {"cleartext": True}}))
    assert "listens off loopback in the clear, as cleartext says" in gateway.log()
    assert gateway.chat("as said", headers={"authorization": f"Bearer {key}"}).complete("as said")
    closed = start.keep(Exposed(tmp_path, base, {"http": {"tls": files}}))
    assert "in the clear" not in closed.log()
