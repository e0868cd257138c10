import random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from mesh.node import certificates
from mesh.node.certificates import (
    ADMIT_LIFE_MS,
    DAY_MS,
    LIFE_MS,
    is_weak_key,
    make_certificate,
    read_certificate_untrusted,
    root_from_der,
    root_from_seed,
)
from mesh.trust import CertificateError
from scheduler import cbor
from scheduler.ids import node_id_from_key, node_id_to_bytes
from tests.mesh.node.support import NOW_MS, OTHER_ROOT, ROOT, make_trust

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
EXCHANGE = bytes.fromhex("09" + "00" * 31)


def test_root_is_the_same_bytes_everywhere() -> None:
    """Members of a lab derive the root each for themselves."""
    assert root_from_seed(bytes(32)).der == ROOT.der
    assert ROOT.fingerprint == "139e3940e64b5491722088d9a0d741628fc826e09475d341a780acde3c4b8070"
    read = root_from_der(ROOT.der)
    assert (read.public_key, read.private_key) == (ROOT.public_key, None)


@pytest.mark.parametrize("der", [b"", b"\x30\x00", b"x" * 400])
def test_root_from_nonsense(der: bytes) -> None:
    with pytest.raises(CertificateError):
        root_from_der(der)


@pytest.mark.parametrize(
    ("roles", "life_ms"),
    [(("compute",), LIFE_MS), (("admit", "submit"), ADMIT_LIFE_MS), ((), LIFE_MS)],
)
def test_claims_come_back(roles: tuple[str, ...], life_ms: int) -> None:
    der = make_certificate(
        ROOT,
        public_key=PUBLIC,
        exchange_key=EXCHANGE,
        roles=roles,
        labels=(("site", "harbour"), ("zone", "")),
        now_ms=NOW_MS,
        serial=b"\x01" * 16,
    )
    read = read_certificate_untrusted(der, ROOT)
    assert read.node == node_id_from_key(PUBLIC)
    assert (read.public_key, read.exchange_key, read.roles) == (PUBLIC, EXCHANGE, roles)
    assert read.labels == (("site", "harbour"), ("zone", ""))
    assert read.serial == b"\x01" * 16
    assert (read.not_before_ms, read.not_after_ms) == (NOW_MS - DAY_MS, NOW_MS + life_ms)
    assert read.der == der
    assert len(der) < 600


def test_only_a_holder_of_the_root_makes_them() -> None:
    with pytest.raises(ValueError, match="root key"):
        make_certificate(
            root_from_der(ROOT.der),
            public_key=PUBLIC,
            exchange_key=EXCHANGE,
            roles=(),
            labels=(),
            now_ms=NOW_MS,
            serial=b"\x01" * 16,
        )


def test_every_flipped_byte_is_refused() -> None:
    der = make_trust().own.der
    chance = random.Random(5)
    for _ in range(1000):
        at, bit = chance.randrange(len(der)), 1 << chance.randrange(8)
        mutated = der[:at] + bytes([der[at] ^ bit]) + der[at + 1 :]
        with pytest.raises(CertificateError):
            read_certificate_untrusted(mutated, ROOT)


@pytest.mark.parametrize("der", [b"", b"\x30\x80", bytes(9000), ROOT.der])
def test_other_bytes_are_refused(der: bytes) -> None:
    with pytest.raises(CertificateError):
        read_certificate_untrusted(der, ROOT)


def test_other_root_and_trailing_bytes_are_refused() -> None:
    der = make_trust().own.der
    with pytest.raises(CertificateError, match="not signed by this cluster"):
        read_certificate_untrusted(der, OTHER_ROOT)
    with pytest.raises(CertificateError):
        read_certificate_untrusted(der + b"\0", ROOT)


def signed_with_claims(claims: bytes | None) -> bytes:
    """What a member that holds the root could sign by mistake or malice."""
    name = x509.Name([])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(5)
        .not_valid_before(certificates._date(NOW_MS))
        .not_valid_after(certificates._date(NOW_MS + DAY_MS))
    )
    if claims is not None:
        extension = x509.UnrecognizedExtension(certificates.CLAIMS_OID, claims)
        builder = builder.add_extension(extension, critical=False)
    assert ROOT.private_key is not None
    return builder.sign(ROOT.private_key, None).public_bytes(Encoding.DER)


GOOD = {0: 1, 1: node_id_to_bytes(node_id_from_key(PUBLIC)), 2: EXCHANGE, 3: ["compute"], 4: {}}


def test_the_good_claims_are_good() -> None:
    der = signed_with_claims(cbor.encode(GOOD))
    assert read_certificate_untrusted(der, ROOT).roles == ("compute",)


@pytest.mark.parametrize(
    ("number", "value", "words"),
    [
        (0, 2, "version"),
        (1, b"x" * 16, "not that of the key"),
        (1, b"x", "16 bytes"),
        (1, "text", "16 bytes"),
        (2, b"x" * 31, "32 bytes"),
        (2, bytes(32), "small order"),
        (3, ["king"], "roles"),
        (3, "compute", "roles"),
        (4, {"a": 1}, "labels"),
        (4, [], "labels"),
    ],
)
def test_bad_claims_are_named(number: int, value: object, words: str) -> None:
    with pytest.raises(CertificateError, match=words):
        read_certificate_untrusted(signed_with_claims(cbor.encode({**GOOD, number: value})), ROOT)


@pytest.mark.parametrize("claims", [None, b"", b"\xff", b"\xa0", b"\x01"])
def test_absent_or_broken_claims(claims: bytes | None) -> None:
    with pytest.raises(CertificateError):
        read_certificate_untrusted(signed_with_claims(claims), ROOT)


@pytest.mark.parametrize(
    "point",
    [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ],
)
def test_weak_keys(point: str) -> None:
    """Points of small order, and encodings that are not the shortest: such keys sign anything."""
    assert is_weak_key(bytes.fromhex(point))


def test_real_keys_are_not_weak() -> None:
    assert not any(is_weak_key(make_trust().own.public_key) for _ in range(50))
