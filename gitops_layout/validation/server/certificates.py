"""Certificate signing requests.

Source: k8s.io/kubernetes 1.36, pkg/apis/certificates/validation/validation.go. Of the request itself only the
wrapping is looked at, not its signature.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from gitops_layout.k8s.formats import signer
from gitops_layout.patterns import regexp
from gitops_layout.validation.server.checks import at_least, choice, required, valid
from gitops_layout.validation.server.cursor import At, Refusal

__all__ = ["signing_request"]

_USAGES = (
    "signing", "digital signature", "content commitment", "key encipherment", "key agreement", "data encipherment",
    "cert sign", "crl sign", "encipher only", "decipher only", "any", "server auth", "client auth", "code signing",
    "email protection", "s/mime", "ipsec end system", "ipsec tunnel", "ipsec user", "timestamping", "ocsp signing",
    "microsoft sgc", "netscape sgc",
)  # fmt: skip
_PEM = regexp(rb"-----BEGIN CERTIFICATE REQUEST-----\s*([A-Za-z0-9+/=\s]+)-----END CERTIFICATE REQUEST-----")


def signing_request(at: At) -> Iterator[Refusal]:
    """ValidateCertificateSigningRequestCreate."""
    spec = at["spec"]
    if not _wrapped(spec["request"].text):
        yield spec["request"].refuse("must be a certificate request in PEM, in base64")
    yield from required(spec["usages"])
    for usage in spec["usages"]:
        yield from choice(*_USAGES)(usage)
    if len(set(spec["usages"].texts)) != len(spec["usages"].texts):
        yield spec["usages"].refuse("repeats a usage")
    yield from required(spec["signerName"])
    yield from valid(signer)(spec["signerName"])
    if spec["signerName"].text == "kubernetes.io/legacy-unknown":
        yield spec["signerName"].refuse("is for the v1beta1 API only")
    yield from at_least(600)(spec["expirationSeconds"])


def _wrapped(text: str) -> bool:
    """Whether there is one DER sequence of the right length in PEM in base64."""
    try:
        found = _PEM.search(base64.b64decode(text))
        der = base64.b64decode(b"".join(found[1].split()), validate=True) if found else b""
    except (binascii.Error, ValueError):
        return False
    if len(der) < 4 or der[0] != 0x30:
        return False
    head = 2 if der[1] < 0x80 else 2 + (der[1] & 0x7F)
    length = der[1] if head == 2 else int.from_bytes(der[2:head], "big")
    return len(der) == head + length
