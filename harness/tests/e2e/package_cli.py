#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`hilbench package` beside independent readers and writers: struct, zlib and hashlib, gzip, and the openssl command line."""
import gzip
import hashlib
import json
import os
import resource
import struct
import subprocess
import sys
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from _e2e import BIN, OUT, SHARE, check, finish

HILBENCH = os.path.join(BIN, "hilbench")
KEYS = os.path.join(SHARE, "fixtures/keys")
PACKAGES = os.path.join(SHARE, "fixtures/packages")
HEADER = struct.Struct("<IHBBII4sIIIIIIHHII8s")
FIELDS = ("magic target type compression payload_size uncompressed_size version timestamp serial crc32 kind trailer_length key_id source "
          "hop_count sequence counter reserved").split()
TIME = 1767225600
TARGETS = {"vmg": 0x0E00, "zgw": 0x0091, "ecu": 0x0011}
LIMIT = 64 << 20
REFUSED, USAGE, BENCH = 1, 2, 3

SAID = []  # everything that hilbench printed


def path(name):
    return os.path.join(OUT, name)


def package(*arguments, **more):
    done = subprocess.run([HILBENCH, "package", *arguments], capture_output=True, text=True, timeout=300, errors="replace", check=False, **more)
    SAID.append(done.stdout + done.stderr)
    return done


def build(name, software, *options, target="zgw", key="ota-1", key_id="1"):
    """Builds OUT/name; the completed process."""
    signing = ["--key", os.path.join(KEYS, key + ".key"), "--key-id", key_id] if key else []
    return package("build", "--target", target, "--version", "1.1.0", "--counter", "2", "--sequence", "9", "--timestamp", str(TIME), *signing,
                   *options, "-o", path(name), software)


def verify(name, *options, key="ota-1"):
    return package("verify", "--key", os.path.join(KEYS, key + ".pub"), *options, path(name))


def read(name):
    with open(path(name) if "/" not in name else name, "rb") as file:
        return file.read()


def write(name, data):
    with open(path(name), "wb") as file:
        file.write(data)
    return path(name)


def fields_of(data):
    return dict(zip(FIELDS, HEADER.unpack(data[:64])))


def parts(data):
    """Header, payload, trailer, and the software by zlib."""
    f = fields_of(data)
    payload = data[64:64 + f["payload_size"]]
    return data[:64], payload, data[64 + len(payload):], zlib.decompress(payload, 31) if f["compression"] else payload


def covered(header, for_crc):
    header = header[:46] + b"\0\0" + header[48:]
    return header[:28] + b"\0\0\0\0" + header[32:] if for_crc else header


def der(signature):
    def integer(number):
        number = number.lstrip(b"\0") or b"\0"
        number = (b"\0" if number[0] & 0x80 else b"") + number
        return b"\x02" + bytes([len(number)]) + number
    body = integer(signature[:32]) + integer(signature[32:])
    return b"\x30" + bytes([len(body)]) + body


def raw(signature):
    """r and s of a DER signature."""
    first = signature[4:4 + signature[3]]
    second = signature[6 + signature[3]:]
    return b"".join(number.lstrip(b"\0").rjust(32, b"\0") for number in (first, second))


def openssl(*arguments):
    return subprocess.run(["openssl", *arguments], capture_output=True, timeout=300, check=False)


def signature_is_right(data, key="ota-1"):
    """By two commands of openssl: over the digest, and over what the digest is made of."""
    header, _, trailer, software = parts(data)
    write("digest", trailer[:32])
    write("signature", der(trailer[32:]))
    write("covered", covered(header, False) + software)
    public = os.path.join(KEYS, key + ".pub")
    by_digest = openssl("pkeyutl", "-verify", "-pubin", "-inkey", public, "-in", path("digest"), "-sigfile", path("signature"))
    by_content = openssl("dgst", "-sha256", "-verify", public, "-signature", path("signature"), path("covered"))
    return by_digest.returncode == 0 and by_content.returncode == 0


def independent_reading(software):
    content = read(software)
    for target, address in TARGETS.items():
        for compression in (0, 1):
            name = f"{target}-{compression}.swpg"
            options = ["--gzip"] if compression else []
            done = build(name, software, *options, target=target)
            data = read(name)
            f = fields_of(data)
            header, payload, trailer, opened = parts(data)
            wanted = {"magic": 0x53575047, "target": address, "type": 1, "compression": compression, "uncompressed_size": len(content),
                      "version": bytes([1, 1, 0, 0]), "timestamp": TIME, "serial": 0x01010000, "kind": 1, "trailer_length": 96, "key_id": 1,
                      "source": 0, "hop_count": 0, "sequence": 9, "counter": 2, "reserved": bytes(8)}
            check(f"package: {name}: fields", done.returncode == 0 and all(f[k] == v for k, v in wanted.items()), f"{done.stderr} {f}")
            check(f"package: {name}: software, CRC-32 and digest", opened == content
                  and f["crc32"] == zlib.crc32(covered(header, True) + content)
                  and trailer[:32] == hashlib.sha256(covered(header, False) + content).digest(), "they differ")
            check(f"package: {name}: openssl takes the signature", signature_is_right(data), "it does not")
            if compression:
                tested = subprocess.run(["gzip", "-t", write("stream.gz", payload)], capture_output=True, check=False)
                check("package: gzip -t takes the stream", tested.returncode == 0 and not tested.stderr, tested.stderr)
            done = verify(name)
            check(f"package: {name}: verifies", done.returncode == 0 and "right" in done.stdout, done.stdout)


def independent_writing(software):
    """A package of this script and of openssl's signature is right for the bench, too."""
    content = read(software)
    payload = gzip.compress(content, 6, mtime=0)
    values = [0x53575047, 0x0011, 1, 1, len(payload), len(content), bytes([2, 3, 4, 5]), TIME, 0x02030405, 0, 1, 96, 1, 0, 2, 77, 3, bytes(8)]
    values[9] = zlib.crc32(covered(HEADER.pack(*values), True) + content)
    header = HEADER.pack(*values)
    digest = hashlib.sha256(covered(header, False) + content).digest()
    write("digest", digest)
    made = openssl("pkeyutl", "-sign", "-inkey", os.path.join(KEYS, "ota-1.key"), "-in", path("digest"))
    write("foreign.swpg", header + payload + digest + raw(made.stdout))
    done = verify("foreign.swpg")
    check("package: one that another writer made verifies", done.returncode == 0, done.stdout)
    done = verify("foreign.swpg", "--counter", "4")
    check("package: its counter counts", done.returncode == REFUSED and "security_counter: 3, at least 4" in done.stdout, done.stdout)
    values[0] = 0x47505753
    write("swapped.swpg", HEADER.pack(*values) + payload + digest + raw(made.stdout))
    done = verify("swapped.swpg")
    check("package: the other byte order is refused", done.returncode == REFUSED and "magic" in done.stdout, done.stdout)


def same_again(software):
    build("again-1.swpg", software, "--gzip")
    build("again-2.swpg", software, "--gzip")
    check("package: the same input gives the same bytes", read("again-1.swpg") == read("again-2.swpg"), "they differ")
    line = ["build", "--target", "0x0091", "--version", "1.2.3.4", "--counter", "1", "--sequence", "1", "-o", path("epoch.swpg"), software]
    package(*line, env=dict(os.environ, SOURCE_DATE_EPOCH="1600000000"))
    check("package: SOURCE_DATE_EPOCH is the time", fields_of(read("epoch.swpg"))["timestamp"] == 1600000000, "it is not")


def shown():
    data = read("ecu-1.swpg")
    f = fields_of(data)
    told = json.loads(package("show", "--json", path("ecu-1.swpg")).stdout)
    check("package: show --json tells what is in it",
          told["target_ecu_id"] == f["target"] and told["payload_size"] == f["payload_size"] and told["crc32"] == f["crc32"]
          and told["version"] == "1.1.0.0" and told["security_counter"] == 2 and told["digest"] == data[-96:-64].hex()
          and told["signature"] == data[-64:].hex(), told)
    lines = package("show", path("ecu-1.swpg")).stdout
    check("package: show tells it in words", "0x0011 (ecu)" in lines and data[-96:-64].hex() in lines and "2026-01-01" in lines, lines)


def signed_again(software):
    build("unsigned.swpg", software, key=None)
    done = verify("unsigned.swpg")
    check("package: an unsigned one is refused", done.returncode == REFUSED and "not signed" in done.stdout, done.stdout)
    for key, key_id in (("ota-1", "1"), ("ota-3", "3")):
        package("sign", "--key", os.path.join(KEYS, key + ".key"), "--key-id", key_id, "-o", path("signed.swpg"), path("unsigned.swpg"))
        check(f"package: signed with {key}", verify("signed.swpg", "--key-id", key_id, key=key).returncode == 0
              and signature_is_right(read("signed.swpg"), key), "it is not right")
    done = verify("signed.swpg", "--key-id", "1")
    check("package: another key's signature is refused", done.returncode == REFUSED and "signature: is not one" in done.stdout
          and "key_id: 3" in done.stdout, done.stdout)


def campaigns(software):
    names = ["zgw-1.swpg", "ecu-0.swpg", "vmg-1.swpg"]
    done = package("campaign", "-o", path("full.fpk"), *map(path, names))
    data = read("full.fpk")
    magic, version, count = struct.unpack_from("<IHH", data)
    entries = [struct.unpack_from("<HHIII", data, 8 + 16 * i) for i in range(count)]
    end = 8 + 16 * count
    right = (done.returncode, magic, version, count) == (0, 0x46504B47, 1, 3) and struct.unpack_from("<I", data, end)[0] == zlib.crc32(data[:end])
    at = end + 4
    for (target, reserved, offset, length, crc), name in zip(entries, names):
        content = read(name)
        right &= (target, reserved, offset, length, crc) == (TARGETS[name[:3]], 0, at, len(content), zlib.crc32(content))
        right &= data[offset:offset + length] == content
        at += length
    check("package: a campaign is table and packages", right and at == len(data), f"{done.stderr} {entries}")
    check("package: a campaign verifies", verify("full.fpk").returncode == 0, SAID[-1])
    package("extract", "--target", "ecu", "-o", path("part"), path("full.fpk"))
    check("package: a campaign gives its package back", read("part") == read("ecu-0.swpg"), "it differs")
    told = json.loads(package("show", "--json", path("full.fpk")).stdout)
    check("package: show of a campaign", [entry["package"]["target_ecu_id"] for entry in told["campaign"]] == [0x91, 0x11, 0xE00], told)
    for words, wanted in (("missing=1", "entry 1"), ("duplicate=0", "twice"), ("reversed", "entry 0, offset"), ("flip=3000", "entry 0, crc32"),
                          ("pad=1", "behind the last package"), ("count=0,+crc", "count: 0")):
        package("campaign", "--mutate", words, "-o", path("wrong.fpk"), *map(path, names))
        done = verify("wrong.fpk")
        check(f"package: campaign with {words} is refused", done.returncode == REFUSED and wanted in done.stdout, done.stdout)
    done = package("campaign", "-o", path("twice.fpk"), path("zgw-1.swpg"), path("zgw-0.swpg"))
    check("package: no target twice", done.returncode == USAGE and not os.path.exists(path("twice.fpk")), done.stderr)
    done = package("campaign", "-o", path("x.fpk"), software)
    check("package: a campaign is of packages", done.returncode == USAGE and software in done.stderr and "offset 0, magic" in done.stderr, done.stderr)


def extracted(software):
    package("extract", "-o", path("software"), path("zgw-1.swpg"))
    check("package: the software comes out again", read("software") == read(software), "it differs")
    package("extract", "--installed", "-o", path("installed"), path("zgw-1.swpg"))
    data = read("zgw-1.swpg")
    check("package: what lies in a bank", read("installed") == data[:64] + read(software) + data[-96:], "it differs")


# Words, and what the finding has to say.
WRONG = {
    "header-flip=100": "crc32", "payload-flip=4000": "digest", "trailer-flip=600": "signature", "cut=1": "payload_size", "pad=1": "payload_size",
    "payload-flip=4000,+crc": "digest", "payload-flip=4000,+crc,+digest": "signature: is not one", "signature=zero": "r is 0",
    "signature=s-n": "s is not below", "signature=der,+crc,+digest,+sign": "trailer_length", "signature=absent,+crc": "not signed",
    "nested,+crc,+digest,+sign": "a package itself", "concatenated": "payload_size", "version=0.9.0.0,+crc,+digest,+sign": "version_serial",
    "security_counter=0,+crc,+digest,+sign": "absent", "hop_count=9": "hop_count", "software_type=2,+crc,+digest,+sign": "bootloader",
    "gzip=truncated,+crc,+digest,+sign": "ends too early", "gzip=trailer-crc,+crc,+digest,+sign": "gzip stream",
    "gzip=trailer-size,+crc,+digest,+sign": "gzip stream", "gzip=multi-member,+crc,+digest,+sign": "another member",
    "gzip=dictionary,+crc,+digest,+sign": "distance", "gzip=flags,+crc,+digest,+sign": "flags", "gzip=bomb,+crc,+digest,+sign": "more than",
    "gzip=far-distance,+crc,+digest,+sign": "distance", "gzip=empty,+crc,+digest,+sign": "decompresses to 0",
    "gzip=raw,+crc,+digest,+sign": "header check",
}


def wrong_on_purpose(software):
    for words, wanted in WRONG.items():
        made = build("wrong.swpg", software, "--mutate", words)
        done = verify("wrong.swpg")
        check(f"package: {words} is refused", made.returncode == 0 and done.returncode == REFUSED and wanted in done.stdout, made.stderr + done.stdout)
    for words in ("gzip=extra,+crc,+digest,+sign", "gzip=stored,+crc,+digest,+sign", "hop_count=8"):
        build("legal.swpg", software, "--mutate", words)
        check(f"package: {words} is legal", verify("legal.swpg").returncode == 0, SAID[-1])
    build("wrong.swpg", software, "--mutate", "gzip=multi-member")
    data = read("wrong.swpg")
    check("package: gzip reads both members", gzip.decompress(data[64:-96]) == read(software), "it does not")
    build("wrong.swpg", software, "--mutate", "gzip=truncated")
    check("package: gzip sees the cut", subprocess.run(["gzip", "-t", write("cut.gz", read("wrong.swpg")[64:-96])], capture_output=True,
                                                        check=False).returncode != 0, "it does not")


def mistakes(software):
    zgw = path("zgw-1.swpg")
    done = build("x.swpg", zgw)
    check("package: a package is no software", done.returncode == USAGE and "already" in done.stderr and not os.path.exists(path("x.swpg")), done.stderr)
    check("package: unless it is asked for", build("nested.swpg", zgw, "--mutate", "nested").returncode == 0, SAID[-1])
    check("package: an ELF is no calibration data", build("x.swpg", software, "--type", "cal").returncode == USAGE, SAID[-1])
    check("package: an ELF is an application", build("elf.swpg", software, "--type", "app").returncode == 0, SAID[-1])
    for name, line in {
        "no arguments": [], "unknown": ["make"], "no output": ["sign", zgw], "no such file": ["show", path("nothing")],
        "target": ["build", "--target", "tcu", "--version", "1.0.0", "--counter", "1", "--sequence", "1", "-o", path("x"), software],
        "version": ["build", "--target", "zgw", "--version", "1.0", "--counter", "1", "--sequence", "1", "-o", path("x"), software],
        "version part": ["build", "--target", "zgw", "--version", "1.0.256", "--counter", "1", "--sequence", "1", "-o", path("x"), software],
        "counter 0": ["build", "--target", "zgw", "--version", "1.0.0", "--counter", "0", "--sequence", "1", "-o", path("x"), software],
        "time": ["build", "--target", "zgw", "--version", "1.0.0", "--counter", "1", "--sequence", "1", "--timestamp", "5", "-o", path("x"), software],
        "time 0": ["build", "--target", "zgw", "--version", "1.0.0", "--counter", "1", "--sequence", "1", "--timestamp", "0", "-o", path("x"), software],
        "mutation": ["build", "--target", "zgw", "--version", "1.0.0", "--counter", "1", "--sequence", "1", "--mutate", "x", "-o", path("x"), software],
        "public key": ["sign", "--key", os.path.join(KEYS, "ota-1.pub"), "--key-id", "1", "-o", path("x"), zgw],
        "no key": ["sign", "--key", zgw, "--key-id", "1", "-o", path("x"), zgw],
        "device": ["extract", "-o", "/dev/null", zgw], "folder": ["extract", "-o", OUT, zgw], "not a package": ["extract", "-o", path("x"), software],
        "two files": ["show", zgw, zgw], "campaign's part": ["extract", "-o", path("x"), path("full.fpk")],
    }.items():
        done = package(*line)
        check(f"package: {name}: status 2 and a reason", done.returncode == USAGE and done.stderr.startswith("hilbench package")
              and done.stderr.count("\n") == 1 and not os.path.exists(path("x")), f"{done.returncode} {done.stderr}")
    data = read("zgw-1.swpg")
    for length in (0, 1, 63, 64, 100, len(data) - 1):
        write("short.swpg", data[:length])
        done = verify("short.swpg")
        check(f"package: {length} bytes of it are refused", done.returncode == REFUSED and "offset" in done.stdout, done.stdout)


def sizes():
    with open(path("big"), "wb") as file:
        file.truncate(LIMIT)
    done = build("big.swpg", path("big"), "--gzip")
    check("package: 64 MiB of software", done.returncode == 0 and verify("big.swpg").returncode == 0, SAID[-1])
    with open(path("big"), "ab") as file:
        file.write(b"x")
    done = build("bigger.swpg", path("big"))
    check("package: one byte more is refused", done.returncode == USAGE and not os.path.exists(path("bigger.swpg")), done.stderr)
    done = package("show", "/dev/zero")
    check("package: an endless file is refused", done.returncode == USAGE, done.stderr)
    os.unlink(path("big"))


def whole_or_not_at_all(software):
    """A disk that is full leaves the old file, and nothing beside it."""
    folder = path("small-disk")
    os.makedirs(folder, exist_ok=True)
    target = os.path.join(folder, "out")
    with open(target, "w", encoding="ascii") as file:
        file.write("before")

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    # Python ignores SIGXFSZ; so does what it starts then.
    done = package("extract", "-o", target, path("zgw-0.swpg"), preexec_fn=limit, restore_signals=False)
    with open(target, encoding="ascii") as file:
        kept = file.read()
    check("package: a full disk leaves the file as it was", done.returncode == BENCH and kept == "before" and os.listdir(folder) == ["out"],
          f"{done.returncode} {done.stderr} {os.listdir(folder)}")
    zgw = path("zgw-0.swpg")
    key = ["--key", os.path.join(KEYS, "ota-1.key"), "--key-id", "1"]
    field = ["--target", "zgw", "--version", "1.0.0", "--counter", "1", "--sequence", "1"]
    for line in (["build", *field, software], ["sign", *key, zgw], ["campaign", zgw], ["extract", zgw]):
        new = os.path.join(folder, "new")
        done = package(*line, "-o", new, preexec_fn=limit)
        check(f"package: {line[0]}: a file that may not grow: status 3, its name, nothing left", done.returncode == BENCH and new in done.stderr
              and os.listdir(folder) == ["out"], f"{done.returncode} {done.stderr} {os.listdir(folder)}")
        away = os.path.join(folder, "nodir", "x")
        done = package(*line, "-o", away)
        check(f"package: {line[0]}: no folder for the output: status 3", done.returncode == BENCH and away in done.stderr, f"{done.returncode} {done.stderr}")


def keys_stay_private(software):
    key = write("loose.key", read(os.path.join(KEYS, "ota-1.key")))
    os.chmod(key, 0o644)
    line = ["build", "--target", "zgw", "--version", "1.0.0", "--counter", "1", "--sequence", "1", "--key", key, "--key-id", "1", "-o", path("y"), software]
    done = package(*line)
    check("package: a key that others can read is told", done.returncode == 0 and "others" in done.stderr, done.stderr)
    os.chmod(key, 0o600)
    done = package(*line)
    check("package: a key that is the owner's alone is not", done.returncode == 0 and not done.stderr, done.stderr)
    secret = openssl("pkey", "-in", key, "-text", "-noout").stdout.decode().split("priv:")[1].split("pub:")[0]
    secret = "".join(secret.split()).replace(":", "").lstrip("0").lower()
    lines = [line for line in read("loose.key").decode().splitlines() if not line.startswith("-")]
    said = "".join(SAID)
    check("package: no key is ever printed", secret not in said.replace(":", "") and not any(line in said for line in lines), "one is")
    check("package: installed keys are the owner's alone", all(os.stat(os.path.join(KEYS, f"ota-{i}.key")).st_mode & 0o77 == 0 for i in (1, 2, 3)),
          "they are not")


def fixtures():
    names = sorted(os.listdir(PACKAGES)) if os.path.isdir(PACKAGES) else []
    wanted = {f"{role}-{kind}.swpg" for role in ("zgw", "ecu") for kind in ("1.0.0", "1.1.0", "1.1.0-gzip", "1.1.1-mute")}
    wanted |= {"zgw-1.1.2-crash.swpg", "vmg-1.0.0.swpg", "full-1.1.0.fpk"}
    check("package: the racks' packages are there", wanted <= set(names), f"missing: {sorted(wanted - set(names))}")
    wrong = [name for name in names if package("verify", "--key", "keys/ota-1.pub", os.path.join(PACKAGES, name)).returncode != 0]
    check("package: they are right", names and not wrong, wrong)
    roles = {name: fields_of(read(os.path.join(PACKAGES, name))) for name in names if name.endswith(".swpg")}
    check("package: they are for their boards", all(f["target"] == TARGETS[name[:3]] and f["version"][:3] == bytes(map(int, name[4:9].split(".")))
                                                     for name, f in roles.items()), roles)


def main():
    software = HILBENCH if os.path.getsize(HILBENCH) < (4 << 20) else "/bin/sh"
    independent_reading(software)
    independent_writing(software)
    same_again(software)
    shown()
    signed_again(software)
    campaigns(software)
    extracted(software)
    wrong_on_purpose("/bin/sh")
    mistakes(software)
    sizes()
    whole_or_not_at_all(software)
    keys_stay_private(software)
    fixtures()
    finish()


main()
