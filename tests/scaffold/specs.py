"""Specs to scaffold in tests: two that cover every branch of the templates, and random ones."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from gitops_layout.spec import Spec, parse

LINT = ("lint", "--select", "ALL", "--ignore", "V002", "--ignore", "V009", "--fail-on", "info")
"""Every rule but those that ask for what only the publisher of an image or chart has: digests and signatures.

test_clean.py shows that with digests nothing is left.
"""

APPS = [
    {"name": "web", "image": "ghcr.io/acme/web:1.4.0", "port": 3000, "owners": ["@acme/web"]},
    {
        "name": "api",
        "image": "registry.local:5000/acme/api@sha256:" + "a" * 64,
        "environments": ["dev", "prod"],
    },
    {"name": "queue", "namespace": "messaging"},
]

TENANTS = [
    {
        "name": "payments",
        "owners": ["@acme/payments"],
        "groups": ["acme:payments"],
        "namespaces": ["payments", "payments-jobs"],
        "repo": {"url": "https://github.com/acme/payments.git"},
    },
    {"name": "search", "environments": ["dev", "prod"], "quota": {"cpu": "500m", "pods": 10}},
]
PLATFORM = {
    "layout": "platform",
    "tenants": TENANTS,
    "apps": [
        *APPS,
        {"name": "pay", "tenant": "payments", "image": "a/b:1.0"},
        {"name": "find", "tenant": "search"},
    ],
}
"""Changes to `data`: tenants with and without a repository of their own, and with apps in this one."""

TENANT = {
    "layout": "tenant",
    "clusters": None,
    "tenancy": {
        "tenant": "payments",
        "platform": "https://github.com/acme/platform.git",
        "namespaces": {
            "payments": {"dev": "payments-dev", "staging": "payments-staging", "prod": "payments"},
            "jobs": {"dev": "jobs-dev", "staging": "jobs-staging", "prod": "jobs"},
        },
    },
    "apps": [
        {"name": "web", "image": "ghcr.io/acme/web:1.4.0"},
        {"name": "report", "image": "a/b:1.0", "namespace": "jobs", "environments": ["dev", "prod"]},
    ],
}
"""Changes to `data`: the repository of a platform's tenant."""
CHARTS = [
    {"name": "cache", "chart": {"oci": "oci://ghcr.io/acme/charts/redis", "version": "22.1.0"}},
    {"name": "db", "chart": {"repo": "https://charts.example.com", "name": "postgres", "version": "1.2.3"}},
]
OWN_CHART = {"name": "shop", "kind": "chart", "image": "ghcr.io/acme/shop:1.4.0", "port": 3000}
"""Apps that are charts, of others and one of its own."""
COMPONENTS = [
    {
        "name": "cert-manager",
        "chart": {"oci": "oci://quay.io/jetstack/charts/cert-manager", "version": "v1.20.0"},
    },
    {
        "name": "ingress",
        "namespace": "ingress-system",
        "chart": {"repo": "https://charts.example.com", "name": "ingress", "version": "4.0.0"},
        "environments": ["prod"],
    },
]
"""What clusters need first: one on each of them, one where prod is."""
_ENVIRONMENTS = ("dev", "staging", "prod")
_VAULT = {
    "vault": {
        "server": "https://vault.example.com",
        "path": "kv",
        "version": "v2",
        "auth": {"kubernetes": {"mountPath": "kubernetes", "role": "apps"}},
    }
}
SOPS = {
    "kind": "sops-age",
    "recipients": [
        {"environment": name, "keys": ["age1" + letter * 58 for letter in name[:2]]} for name in _ENVIRONMENTS
    ],
}
STORES = {
    "kind": "external-secrets",
    "stores": [{"environment": name, "provider": _VAULT} for name in ("dev", "prod")],
}
"""Values of `features.secrets`: who decrypts each environment, and where the secrets of two of them lie."""
FEATURES: dict[str, dict[str, Any]] = {
    "sops": {"features": {"secrets": SOPS}},
    "sops-platform": {**PLATFORM, "features": {"secrets": SOPS}, "components": COMPONENTS},
    "sealed": {"features": {"secrets": "sealed-secrets"}},
    "sealed-platform": {**PLATFORM, "features": {"secrets": "sealed-secrets"}},
    "stores": {"features": {"secrets": STORES}, "layout": "monorepo"},
    "policies": {"features": {"policy": "vap"}, "apps": [*APPS, *CHARTS, OWN_CHART]},
    "policies-platform": {**PLATFORM, "features": {"policy": "vap"}},
    "told": {"features": {"notifications": {"chat": "slack", "commitStatus": True, "receiver": True}}},
    "told-gitlab": {
        **PLATFORM,
        "repo": {"url": "https://gitlab.com/acme/a/b.git", "owners": ["@acme/platform"]},
        "features": {"notifications": {"chat": "discord", "commitStatus": True}},
    },
    "images": {"features": {"imageAutomation": "pr"}, "apps": [*APPS, *CHARTS, OWN_CHART]},
    "images-gitlab": {
        "repo": {"url": "https://gitlab.com/acme/a.git", "owners": ["@acme/a"]},
        "features": {"imageAutomation": "pr"},
    },
    "gotk": {"agent": {"name": "flux", "install": "gotk"}, "features": {"imageAutomation": "pr"}},
    "gotk-platform": {**PLATFORM, "agent": {"name": "flux", "install": "gotk", "artifacts": True}},
    "artifacts": {"agent": {"name": "flux", "artifacts": True}, "apps": [*APPS, *CHARTS, OWN_CHART]},
    "kyverno-platform": {**PLATFORM, "features": {"policy": "kyverno"}},
}
"""Changes to `data` that bring a feature each."""
FLUX_ONLY = frozenset({"sops", "sops-platform", "gotk", "gotk-platform", "artifacts"})
LAYOUTS: dict[str, dict[str, Any]] = {
    "config": {},
    "monorepo": {"layout": "monorepo"},
    "split": {"layout": "split"},
    "platform": PLATFORM,
    "tenant": TENANT,
}


def data(agent: str, /, **spec: Any) -> dict[str, Any]:
    """gitops.yaml with three environments on two clusters, one of them shared, and three apps."""
    body = {
        "agent": agent,
        "repo": {"url": "https://github.com/acme/platform.git", "owners": ["@acme/platform"]},
        "environments": [
            {"name": "dev"},
            {"name": "staging", "from": "dev"},
            {"name": "prod", "from": "staging"},
        ],
        "clusters": [
            {"name": "lab", "environments": ["dev", "staging"], "context": "kind-lab"},
            {"name": "eu", "environments": ["prod"], "labels": {"region": "eu"}},
        ],
        "apps": APPS,
        **spec,
    }
    return {
        "apiVersion": "gitops-layout/v1alpha1",
        "kind": "GitOpsRepo",
        "metadata": {"name": "acme"},
        "spec": body,
    }


def spec(agent: str = "flux", /, **changes: Any) -> Spec:
    """The same, read."""
    return parse(data(agent, **changes))


@st.composite
def random_data(draw: st.DrawFn) -> dict[str, Any]:
    """gitops.yaml with any number of apps, environments and clusters, any of them on any, and features of all kinds."""
    environments = draw(
        st.lists(st.sampled_from(["dev", "qa", "staging", "prod", "live"]), min_size=1, unique=True)
    )
    clusters = []
    left = list(environments)
    while left:
        held = draw(st.lists(st.sampled_from(environments), min_size=1, unique=True))
        clusters.append({"name": f"c{len(clusters)}", "environments": sorted({*held, left[0]})})
        left = [name for name in left if name not in clusters[-1]["environments"]]
    agent = draw(st.sampled_from(["flux", "argocd", "builtin"]))
    tenants = [{"name": name} for name in draw(st.lists(st.sampled_from(["red", "blue"]), unique=True))]
    layout = "platform" if tenants else draw(st.sampled_from(["config", "monorepo"]))
    names = draw(st.lists(st.sampled_from(["web", "api", "e3", "queue-worker"]), unique=True))
    apps = [draw(_random_app(name, agent, layout, environments)) for name in names]
    for app in apps if tenants else ():
        if draw(st.booleans()):
            app["tenant"] = draw(st.sampled_from(tenants))["name"]
    components = draw(st.lists(st.sampled_from(COMPONENTS), unique_by=str)) if agent != "builtin" else []
    return data(
        agent,
        agent=draw(st.sampled_from(_AGENTS[agent])),
        environments=[{"name": name} for name in environments],
        clusters=clusters,
        layout=layout,
        tenants=tenants,
        components=[{**item, "environments": environments[:1]} for item in components],
        apps=apps,
        features=draw(_random_features(agent, environments)),
    )


_AGENTS: dict[str, list[dict[str, Any]]] = {
    "flux": [{"name": "flux", "install": "gotk"}, {"name": "flux", "artifacts": True}, {"name": "flux"}],
    "argocd": [{"name": "argocd"}, {"name": "argocd", "wiring": "applicationset", "selfManaged": True}],
    "builtin": [{"name": "builtin"}],
}


@st.composite
def _random_app(
    draw: st.DrawFn, name: str, agent: str, layout: str, environments: list[str]
) -> dict[str, Any]:
    kinds = ["kustomize"] if agent == "builtin" else ["kustomize", "helm", "chart"]
    kind = draw(
        st.sampled_from([item for item in kinds if (item, agent, layout) != ("chart", "flux", "platform")])
    )
    app: dict[str, Any] = {"name": name, "kind": kind}
    if kind == "helm":
        app["chart"] = draw(st.sampled_from(CHARTS))["chart"]
    elif draw(st.booleans()):
        app["image"] = draw(st.sampled_from(["a/b:1.0", "ghcr.io/a/b:1e3", "h:5000/x:0777"]))
    if draw(st.booleans()):
        app["environments"] = draw(st.lists(st.sampled_from(environments), min_size=1, unique=True))
    return app


@st.composite
def _random_features(draw: st.DrawFn, agent: str, environments: list[str]) -> dict[str, Any]:
    features: dict[str, Any] = {"ci": draw(st.sampled_from(["github", "gitlab", "none"]))}
    if policy := draw(st.sampled_from([None, "vap", "kyverno"] if agent != "builtin" else [None, "vap"])):
        features["policy"] = policy
    if draw(st.booleans()) and (agent == "flux" or features["ci"] != "none"):
        features["imageAutomation"] = "pr"
    if agent == "builtin":
        return features
    if draw(st.booleans()):
        features["notifications"] = {"chat": "slack", "commitStatus": draw(st.booleans()), "receiver": True}
    kind = draw(st.sampled_from([None, "sealed-secrets", "external-secrets", "sops-age"]))
    if kind == "sops-age" and agent == "flux":
        recipients = [{"environment": name, "keys": ["age1" + "q" * 58]} for name in environments]
        features["secrets"] = {"kind": kind, "recipients": recipients}
    elif kind == "external-secrets":
        features["secrets"] = {"kind": kind, "stores": [{"environment": environments[0], "provider": _VAULT}]}
    elif kind == "sealed-secrets":
        features["secrets"] = kind
    return features
