"""Functions and formats that the API server adds say of each text what a real one says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitops_layout.k8s.strfmt import FORMATS
from gitops_layout.validation.rules import RuleProblem, judge
from tests.validation.support import Server

if TYPE_CHECKING:
    from tools.controlplane import ControlPlane

TEXTS = (
    "", " ", "1", "-1", "1.5", "1e3", "100m", "2Gi", "200K", " 1", "1.", ".5", "0.0000000001", "9223372036854775808", "50k",
    "a", "A", "a-", "-a", "a_b", "a.b", "a..b", "example.com/a", "a/b/c", "a" * 63, "a" * 64, "x.-", "ab-", "a.b-", "wéb",
    "https://example.com", "https://user:pw@example.com:80/p?q=1&q=2&r#frag", "http://[::1]:80/", "http://[::1]", "http://a:b/",
    "http://a:1:2/", "/abs/path", "../rel", "mailto:a@b.example", "a:b", ":x", "http://exa mple.com", "http://x/%zz", "http://x/a b",
    "http:///p", "//x/y", "*", "http://x?y#z", "HTTP://X", "http://a_b", "http://%41", "http://a@b@c/", "a+b://c", "1a://c",
    "127.0.0.1", "127.0.0.01", "256.1.1.1", "::1", "::ffff:1.2.3.4", "fe80::1%eth0", "2001:DB8::1", "2001:db8::abcd", "224.0.0.5",
    "169.254.1.1", "255.255.255.255", "0.0.0.0", "ff02::1", "10.0.0.0/8", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/08", "::/0",
    "1.2.3", "v1.2.3", "1.2", "1", "01.2.3", "1.2.3-rc.1", "1.2.3-01", "1.2.3+build", "1.2.3-", "1.2.3.4", "v1",
    "123e4567-e89b-12d3-a456-426614174000", "123E4567E89B12D3A456426614174000", "123e4567-e89b-42d3-8456-426614174000", "aGVsbG8=",
    "aGVsbG8", "2021-01-01", "2021-02-30", "2021-01-01T00:00:00Z", "2021-01-01t00:00:00.5+01:00", "2021-01-01T25:00:00Z",
    "1h", "1h30m", "3 days", "1 week", "5x", "1.5h", "-2s", "10", "someone@example.com", "Some One <a@b.example>", "a@", "@b",
    "YQ\n==", "01:23:45:67:89:ab",  "01:23:45:67-89:ab", "0123456789ab", "01:23:45:67:89:ab:cd:ef", "0123456789abc", "0123.4567.89ab", "01-23-45-67-89-ab", "01:23:45", "example.com", "EXAMPLE", "a b",
)  # fmt: skip
RULES = (
    "isURL(self)",
    "url(self).getScheme() == 'https'",
    "url(self).getHost().startsWith('e')",
    "url(self).getHostname() == '::1'",
    "url(self).getPort() == '80'",
    "url(self).getEscapedPath().startsWith('/')",
    "url(self).getQuery().size() == 2",
    "isQuantity(self)",
    "quantity(self).isInteger()",
    "quantity(self).isGreaterThan(quantity('1'))",
    "quantity(self) == quantity('1000m')",
    "quantity(self).add(1).compareTo(quantity('2')) == 0",
    "quantity(self).sub(quantity('1')).asApproximateFloat() > 0.0",
    "sign(quantity(self)) == 1",
    "quantity(self).asInteger() > 1",
    "isIP(self)",
    "ip(self).family() == 4",
    "ip(self).isGlobalUnicast()",
    "ip(self).isLoopback() || ip(self).isUnspecified()",
    "ip(self).isLinkLocalMulticast() || ip(self).isLinkLocalUnicast()",
    "ip.isCanonical(self)",
    "isCIDR(self)",
    "cidr(self).containsIP('10.1.2.3')",
    "cidr(self).containsCIDR('10.1.0.0/16')",
    "cidr(self) == cidr(self).masked()",
    "cidr(self).prefixLength() == 8",
    "string(cidr(self).ip()) == '10.0.0.1'",
    "isSemver(self)",
    "isSemver(self, true)",
    "semver(self, true).isLessThan(semver('1.2.3'))",
    "semver(self).minor() == 2",
    *(
        f"!format.{name}().validate(self).hasValue()"
        for name in (
            "dns1123Label", "dns1123Subdomain", "dns1035Label", "qualifiedName", "dns1123LabelPrefix",
            "dns1123SubdomainPrefix", "dns1035LabelPrefix", "labelValue", "uri", "uuid", "byte", "date", "datetime",
        )
    ),
)  # fmt: skip
OF_LISTS = (
    "self.isSorted()",
    "self.max() == 'b'",
    "self.min() == self[1]",
    "self.indexOf('b') == 1",
    "self.lastIndexOf('1') == 1",
    "self.map(each, size(each)).sum() > 5",
    "sets.contains(['1', 'b', 'a'], self)",
    "sets.intersects(['a', '2'], self)",
    "sets.equivalent(['1', 'b'], self)",
)  # fmt: skip


def test_functions_say_of_each_text_what_the_server_says(cluster: ControlPlane) -> None:
    short = {"type": "string", "maxLength": 70}
    several = {"type": "array", "items": short, "maxItems": 3}
    rules = (*RULES, *OF_LISTS)
    fields = {
        f"r{number}": {**(short if rule in RULES else several), "x-kubernetes-validations": [{"rule": rule}]}
        for number, rule in enumerate(rules)
    }
    theirs = _refused(cluster, "Rule", fields)
    ours = set()
    for number, rule in enumerate(rules):
        for text in TEXTS:
            said = judge("", {"rule": rule}, text if rule in RULES else ["1", text, "b"])
            assert not isinstance(said, RuleProblem), said
            if said is not None:
                ours.add((number, text))

    assert len(theirs) > 1000
    assert len(ours) < len(rules) * len(TEXTS) - 500
    assert [(rules[n], text) for n, text in sorted(theirs ^ ours)] == []


def test_formats_take_what_the_server_takes(cluster: ControlPlane) -> None:
    names = [name for name in FORMATS if name != "byte"]  # which is asked as base64
    fields = {
        f"r{number}": {"type": "string", "format": name.replace("base64", "byte")}
        for number, name in enumerate(names)
    }
    theirs = _refused(cluster, "Form", fields)
    ours = {(number, text) for number, name in enumerate(names) for text in TEXTS if not FORMATS[name](text)}

    assert len(theirs) > 500
    assert [(names[n], text) for n, text in sorted(ours - theirs)] == []
    # What only Go's parser of mail knows, we let pass.
    assert [(names[n], text) for n, text in sorted(theirs - ours) if names[n] != "email"] == []


def _refused(cluster: ControlPlane, kind: str, fields: dict[str, Any]) -> set[tuple[int, str]]:
    """The fields that a server refuses, by their number, for each text in all of them at once."""
    name = f"{kind.lower()}s"
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": fields}}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{name}.library.example.org"},
        "spec": {
            "group": "library.example.org",
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": name, "singular": kind.lower(), "listKind": f"{kind}List"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }
    found = set()
    with Server(cluster) as server:
        server.install([definition])
        for text in TEXTS:
            data = {"apiVersion": "library.example.org/v1", "kind": kind, "metadata": {"name": "a"}}
            spec = {
                key: text if each["type"] == "string" else ["1", text, "b"] for key, each in fields.items()
            }
            _, answer = server.created({**data, "spec": spec})
            causes = (answer.get("details") or {}).get("causes") or ()
            found |= {(int(cause["field"].removeprefix("spec.r")), text) for cause in causes}
    return found
