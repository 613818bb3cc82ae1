"""Mistakes that need more than one text of the plain scaffold: a habit to break, a chart, tenants, or a change."""

from __future__ import annotations

from tests.rules.mutants import (
    API,
    ARGO,
    AUTOMATED,
    AUTOMATION,
    BASE,
    FLUX,
    GIT,
    LOCAL,
    MAP,
    PROD,
    PROJECT,
    PUSH,
    SERVICE,
    SET,
    SETTINGS,
    SHOWN,
    UNIT,
    WEB,
    Mutant,
    applied,
    brought,
)

__all__ = ["MUTANTS", "WITHOUT"]

WITHOUT: dict[str, str] = {
    "M007": "a scaffold has no chart of its agent, beside whose release another one would be guessed",
    "M042": "a scaffold has the chart of no project whose objects it has as well",
    "D011": "the README of a scaffold says how its agent comes to the cluster, and that is what the rule asks for",
}
"""Rules that no mistake can be planted for here, and why."""

_CHART = "apps/shop/chart/Chart.yaml"
_VALUES = "apps/shop/chart/values.yaml"
_SHOP_MAP = "apps/shop/chart/templates/settings.yaml"
_SHOP_POD = "apps/shop/chart/templates/deployment.yaml"
_CLUSTER = "clusters/eu/kustomization.yaml"
_ACCESS = "tenants/payments/envs/prod/payments/role-binding.yaml"
_PAY = "apps/pay/base/service.yaml"
_PROBE = """\
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: probe
spec:
  selector:
    matchLabels:
      app.kubernetes.io/name: probe
  template:
    metadata:
      labels:
        app.kubernetes.io/name: probe
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: probe
          image: ghcr.io/acme/probe@sha256:%s
          resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 32Mi}}
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
""" % ("a" * 64)
_SOURCE = '  source:\n    repoURL: https://github.com/acme/platform.git\n    targetRevision: "main"\n    path: apps/web/envs/prod\n'
_PORT = "      targetPort: http\n"
_WAIT = "  prune: true\n  wait: true\n"
_RETRY = "    syncOptions:\n      - ServerSideApply=true\n"
_UNIT = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: {name}\n  namespace: flux-system\nspec:\n  interval: 10m\n  retryInterval: 1m\n  timeout: 5m\n  sourceRef: {{kind: GitRepository, name: flux-system}}\n  path: ./{path}\n  prune: true\n  wait: true\n"
_APP = 'apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: {name}\n  namespace: argocd\n  finalizers: [resources-finalizer.argocd.argoproj.io]\nspec:\n  project: apps\n  source: {{repoURL: "https://github.com/acme/platform.git", targetRevision: main, path: {path}}}\n  destination: {{server: "https://kubernetes.default.svc", namespace: web}}\n  syncPolicy:\n    automated: {{prune: true, selfHeal: true}}\n    retry: {{limit: 5}}\n'
_LIVE = MAP.replace("metadata:\n", "metadata:\n  namespace: web\n")


def _deliver(path: str, *, agent: str) -> tuple[str, str, str]:
    """One more delivery beside the app's own."""
    old, form = (_WAIT, _UNIT) if agent == "flux" else (_RETRY, _APP)
    return UNIT, old, f"{old}---\n" + form.format(name="web-more", path=path)


_PLAIN = "apps/web/extra"
_FIVE = ("ant", "bee", "cat", "dog", "eel")
_HABIT = tuple(
    (
        f"apps/web/base/{name}/values-{environment}.yaml",
        "",
        f"pull:\n  path: secret/{environment}.example.org/pull\n",
    )
    for name in _FIVE
    for environment in ("int", "live")
)
_GENERATED = "configMapGenerator:\n" + "".join(
    f"  - {{name: {name}, files: [{name}/values-int.yaml, {name}/values-live.yaml]}}\n" for name in _FIVE
)
_PARTS = ("one", "two", "three", "four")
_FOLDERS = tuple(
    item
    for name in _PARTS
    for item in (
        (f"apps/web/base/{name}/kustomization.yaml", "", "resources: [settings.yaml]\n"),
        (f"apps/web/base/{name}/settings.yaml", "", f"{MAP.replace('more', name)}data: {{a: b}}\n"),
    )
)
_SPACES = tuple(
    item
    for name in ("ants", "bees", "cats", "dogs")
    for item in (
        (f"apps/spaces/{name}/kustomization.yaml", "", "resources: [namespace.yaml]\n"),
        (f"apps/spaces/{name}/namespace.yaml", "", f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n  labels: {{pod-security.kubernetes.io/enforce: restricted}}\n"),
    )
)  # fmt: skip

_CLAIM = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: {space}\ndata: {{a: b}}\n"
_HERD = (
    (UNIT, _WAIT, f"{_WAIT}---\n" + _UNIT.format(name="herd", path="apps/herd")),
    *(
        (f"apps/herd/{space}/{name}.yaml", "", _CLAIM.format(name=f"{space}-{name}", space=space))
        for space in ("ants", "bees", "cats", "dogs")
        for name in ("claim", "food")
    ),
)


def _host(environment: str) -> tuple[str, str, str]:
    file = SETTINGS.replace("prod", environment)
    return (
        file,
        "      - LOG_LEVEL=info\n",
        f"      - LOG_LEVEL=info\n      - STORE=db.{environment}.example.org\n",
    )


_DEFINITION = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: mills.serving.example.org}\nspec:\n  group: serving.example.org\n  scope: Namespaced\n  names: {kind: Mill, plural: mills, singular: mill, listKind: MillList}\n  versions:\n    - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}\n---\n"
_ROLE = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: reader\nrules:\n  - apiGroups: [{group}]\n    resources: [{resource}]\n    verbs: [get]\n"
_KEY = "            - name: {name}\n              valueFrom:\n                configMapKeyRef: {{name: web-settings, key: {key}}}\n"
_WITH_KEY = (
    GIT.format(interval="5m", url="https://github.com/acme/platform.git")
    + "  secretRef:\n    name: deploy-key\n---\n"
    + _UNIT.format(name="images", path="apps/web/tuning").replace("name: flux-system}", "name: other}")
    + "---\n"
)
_TUNING = tuple(
    item
    for environment in ("staging", "prod")
    for item in (
        (f"apps/web/tuning/{environment}.yaml", "", f"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations: {{example.org/tuned-for: {environment}}}\n"),
        (f"apps/web/envs/{environment}/kustomization.yaml", "  - path: local.yaml\n", f"  - path: local.yaml\n  - path: ../../tuning/{environment}.yaml\n"),
    )
)  # fmt: skip

_HERE = [
    Mutant("A002", UNIT, _SOURCE, "  sources:\n    - {repoURL: \"https://github.com/acme/platform.git\", targetRevision: main, path: apps/web/envs/prod}\n    - {repoURL: \"https://github.com/acme/platform.git\", targetRevision: main, path: apps/web/extra}\n",
           "  name: web\n", agents=ARGO, where=SERVICE, beside=("V005",), also=((f"{_PLAIN}/service.yaml", "", "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  clusterIP: None\n"),)),
    Mutant("A007", "more.yaml", "    retry: {limit: 5}\n", "    retry: {limit: 5}\n---\n" + _APP.format(name="web-more", path="apps/web/other"), "  name: web-more", agents=ARGO, beside=("D019",),
           given=(("more.yaml", "", _APP.format(name="web-more", path=_PLAIN)), (f"{_PLAIN}/settings.yaml", "", f"{_LIVE}data: {{a: b}}\n"), ("apps/web/other/settings.yaml", "", f"{_LIVE.replace('more', 'other')}data: {{a: b}}\n"))),
    Mutant("A028", PROJECT, "  sourceRepos:\n    - https://github.com/acme/platform.git\n", "  sourceRepos:\n    - '*'\n", agents=ARGO),
    Mutant("C005", ".gitops-layout.yaml", "external:\n", "external:\n  - chart: podinfoo\n    reason: it has a repository of its own\n", "podinfoo", of="platform", inert=True),
    Mutant("C006", ".gitops-layout.yaml", "external:\n", "environments:\n  - {name: canary, tier: prod, paths: [apps/*/env/canary]}\nexternal:\n", "apps/*/env/canary", of="platform", inert=True),
    Mutant("D003", f"{_PLAIN}/settings.yaml", "data: {a: b}\n", "data: {a: b}\n---\nreplicas: 2\n", "replicas", agents=ARGO, given=(_deliver(_PLAIN, agent="argocd"), (f"{_PLAIN}/settings.yaml", "", f"{_LIVE}data: {{a: b}}\n"))),
    brought("D019", "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  clusterIP: None\n", "kind: Service", "K016"),
    Mutant("F021", "clusters/eu/flux-system/flux-instance.yaml", "path: clusters/eu", "path: clusters/lab", agents=FLUX),
    Mutant("K018", BASE, "  - four\n", "", "resources:", where=BASE, given=(*_FOLDERS, (BASE, "  - service.yaml\n", "  - service.yaml\n" + "".join(f"  - {name}\n" for name in _PARTS)))),
    Mutant("K019", SETTINGS, "# Settings of the app that are promoted along with its version; they reach it as environment variables.\napiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nconfigMapGenerator:\n  - name: web-settings\n    literals:\n      - LOG_LEVEL=info\n",
           "# Settings of the app.\n# configMapGenerator:\n#   - name: web-settings\n#     literals: [LOG_LEVEL=info]\n", beside=("K016",)),
    Mutant("K020", PROD, "namespace: web\n", "namespace: webs\n", beside=("A003",)),
    Mutant("L002", SETTINGS, "STORE=db.prod.example.org", "STORE=db.staging.example.org", given=tuple(map(_host, ("dev", "staging", "prod")))),
    Mutant("L004", LOCAL, "  replicas: 2\n", "  replicas: 2\n  template:\n    spec:\n      containers:\n        - name: web\n          readinessProbe: null\n", "  name: web\n", where=WEB),
    Mutant("L017", "apps/spaces/dogs/namespace.yaml", "  name: dogs\n", "  name: ants\n", agents=FLUX, beside=("K016",), given=(*_SPACES, (_CLUSTER, "resources:\n", "resources:\n" + "".join(f"  - ../../apps/spaces/{n}\n" for n in ("ants", "bees", "cats", "dogs"))))),
    Mutant("L027", "apps/herd/dogs/claim.yaml", "  namespace: dogs\n", "  namespace: cats\n", agents=FLUX, beside=("K016",), given=_HERD),
    Mutant("F028", UNIT, "  postBuild: {substitute: {DOMAIN: example.org}}\n", "", "path: ./apps/more", where=UNIT, agents=FLUX,
           given=((UNIT, _WAIT, f"{_WAIT}  postBuild:\n    substitute: {{DOMAIN: example.org}}\n---\n{_UNIT.format(name='more', path='apps/more')}  postBuild: {{substitute: {{DOMAIN: example.org}}}}\n"),
                  ("apps/more/service.yaml", "", "apiVersion: v1\nkind: Service\nmetadata:\n  name: more\n  namespace: web\nspec: {type: ExternalName, externalName: \"more.${DOMAIN}\"}\n"))),
    Mutant("L019", "tenants/payments/envs/prod/kustomization.yaml", "  - payments-jobs\n", "  - payments-jobs\n  - ../../../search/envs/prod/search\n", "search", of="platform", beside=("L008",)),
    Mutant("L023", API, "path: ./apps/api/envs/prod", "path: ./apps/web/envs/prod", agents=FLUX, beside=("L008", "L003")),
    Mutant("L023", API, "    path: apps/api/envs/prod", "    path: apps/web/envs/prod", agents=ARGO, beside=("L008", "L003")),
    Mutant("L024", UNIT, "repoURL: https://github.com/acme/platform.git", "repoURL: https://github.com/ac-me/platform.git", agents=ARGO, beside=("P008", "A003", "L003")),
    Mutant("P008", UNIT, "repoURL: https://github.com/bakery/platform.git", "repoURL: https://github.com/bake-ry/platform.git", agents=ARGO, beside=("A003", "L003", "V004"), given=((UNIT, "github.com/acme", "github.com/bakery"),)),
    Mutant("L025", "apps/web/base/eel/values-live.yaml", "secret/live.", "secret/int.", given=(*_HABIT, (BASE, "  - service.yaml\n", f"  - service.yaml\n{_GENERATED}"))),
    Mutant("L026", PROD, "  - path: ../../tuning/prod.yaml\n", "", "resources:", where=PROD, agents=FLUX, given=_TUNING),
    brought("M043", "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: web\nspec:\n  tls:\n    - secretName: web-tls\n      hosts:\n        - shop.example.org\n  rules:\n    - host: web.example.org\n      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]}\n", "shop.example.org"),
    brought("S017", "apiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata:\n  name: vault\nspec:\n  provider: {fake: {data: [{key: a, value: b}]}}\n---\napiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata:\n  name: access\nspec:\n  refreshInterval: 1h\n  secretStoreRef: {kind: SecretStore, name: vault}\n  target:\n    name: access\n    template:\n      data:\n        url: \"https://{{ .passwrd }}@example.org\"\n  data:\n    - {secretKey: password, remoteRef: {key: web, property: password}}\n", ".passwrd"),
    brought("M041", "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: web\nspec:\n  defaultBackend:\n    service:\n      name: web\n      port:\n        name: htpp\n", "name: htpp"),
    Mutant("M017", SERVICE, "targetPort: http\n", "targetPort: htpp\n"),
    brought("M008", _DEFINITION + "apiVersion: serving.example.org/v1beta1\nkind: Mill\nmetadata:\n  name: old\n", "v1beta1", "L008", agents=FLUX),
    Mutant("M027", "apps/web/base/deployment.yaml", "              cpu: 50m\n", "", "  name: web\n", where=WEB, of="policies"),
    brought("M032", "apiVersion: cert-manager.io/v1\nkind: Issuer\nmetadata:\n  name: internal\nspec: {selfSigned: {}}\n---\napiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata:\n  name: web\nspec:\n  secretName: web-tls\n  dnsNames: [web.example.org]\n  issuerRef:\n    name: interal\n", "name: interal"),
    brought("M035", "apiVersion: operators.example.org/v1alpha1\nkind: Subscription\nmetadata:\n  name: operator\nspec:\n  config:\n    env:\n      - name: QUIET\n        value: true\n", "value: true"),
    brought("M036", "apiVersion: vaults.example.org/v1alpha1\nkind: Vault\nmetadata:\n  name: one\n---\napiVersion: vaults.example.org/v1alpha\nkind: Vault\nmetadata:\n  name: two\n", "v1alpha\n"),
    brought("M037", _DEFINITION + _ROLE.format(group="example.org", resource="mills"), "apiGroups", "L008", agents=FLUX),
    Mutant("M038", WEB, "          envFrom:\n", "          env:\n" + _KEY.format(name="LOG_LEVEL", key="LOG_LEVEL") + _KEY.format(name="STORE", key="LOG_LEVEL") + "          envFrom:\n", "key: LOG_LEVEL", given=tuple(map(_host, ("dev", "staging", "prod")))),
    applied("M039", "apiVersion: v1\nkind: Namespace\nmetadata: {name: mill}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: mills}\n---\napiVersion: operators.coreos.com/v1\nkind: OperatorGroup\nmetadata: {name: mill, namespace: mill}\nspec: {targetNamespaces: [mill]}\n---\napiVersion: operators.coreos.com/v1alpha1\nkind: Subscription\nmetadata:\n  name: mill\n  namespace: mills\nspec: {channel: stable, name: mill, source: catalog, sourceNamespace: catalogs}\n", "namespace: mills"),
    brought("M040", _ROLE.format(group='""', resource="deployments"), "resources"),
    Mutant("P009", UNIT, 'targetRevision: "main"', "targetRevision: v1.4.0", "path:", where=UNIT, agents=ARGO, tags=(("v1.4.0", ("apps/old/settings.yaml",)),), beside=("L003",)),
    applied("P012", _WITH_KEY + AUTOMATED.format(automation=AUTOMATION.format(more="", push=PUSH, path="./apps").replace("name: flux-system\n  git", "name: other\n  git")), "name: deploy-key", "M011", *SHOWN,
            also=(("apps/web/tuning/settings.yaml", "", f"{_LIVE}data: {{a: b}}\n"), ("apps/web/envs/prod/version/kustomization.yaml", 'newTag: "1.4.0"', 'newTag: "1.4.0" # {"$imagepolicy": "flux-system:web:tag"}'))),
    Mutant("R020", WEB, "  selector:\n    matchLabels:\n      app.kubernetes.io/name: web\n  template:\n    metadata:\n      labels:\n        app.kubernetes.io/name: web\n", "  selector:\n    matchLabels:\n      app.kubernetes.io/name: www\n  template:\n    metadata:\n      labels:\n        app.kubernetes.io/name: www\n", "name: www", where=WEB, since=True, beside=("M009",)),
    Mutant("R021", PROD, "  - namespace.yaml\n", "", "path: ", where=UNIT, since=True, beside=("L011", "K002", "L003", "M026")),
    Mutant("R022", "apps/web/base/settings.yaml", "", f"{MAP}data: {{a: b}}\n", "name: more", agents=FLUX, since=True, beside=("L003",),
           given=(_deliver(_PLAIN, agent="flux"), (f"{_PLAIN}/settings.yaml", "", f"{_LIVE}data: {{a: b}}\n"), (f"{_PLAIN}/other.yaml", "", f"{_LIVE.replace('more', 'other')}data: {{a: b}}\n")),
           also=((BASE, "  - service.yaml\n", "  - service.yaml\n  - settings.yaml\n"), (f"{_PLAIN}/settings.yaml", f"{_LIVE}data: {{a: b}}\n", "# moved into the base\n"))),
    applied("R023", SET.format(head="", generator="clusters: {}", name="'more-{{name}}'", path="apps/web/envs/prod") + "      syncPolicy:\n        automated: {}\n", "automated", "A020", "P003", "A003", agents=ARGO),
    Mutant("S010", _ACCESS, "    namespace: payments\n", "    namespace: payments\n  - kind: ServiceAccount\n    name: tenant\n    namespace: search\n", "kind: ServiceAccount\n    name: tenant\n    namespace: search", agents=FLUX, of="platform"),
    brought("S016", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: login\ndata:\n  password: cTdWeDltTHcyWmtQCg==\n", "password", "S001"),
    Mutant("T001", _PAY, _PORT, f"{_PORT}---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: everything\nrules: []\n", "name: everything", of="platform", beside=("A003", "L008")),
    Mutant("T002", _PAY, _PORT, f"{_PORT}---\n{_PROBE}", "kind: DaemonSet", of="platform", beside=("L008",)),
    Mutant("V002", "apps/api/envs/prod/version/kustomization.yaml", "digest: sha256:" + "a" * 64, 'newTag: "1.0.0"'),
    Mutant("V005", UNIT, "targetRevision: v1.0.0", 'targetRevision: "main"', agents=ARGO, given=((UNIT, 'targetRevision: "main"', "targetRevision: v1.0.0"),)),
    Mutant("V014", PROD, "  - namespace.yaml\n", "  - namespace.yaml\n  - extra.yaml\n", where="apps/web/envs/prod/extra.yaml", links=(("apps/web/envs/prod/extra.yaml", "/etc/fleet/extra.yaml"),), beside=("K012",)),
    Mutant("V015", ".github/CODEOWNERS", "* @acme/platform", "/src/ @acme/platform", "# gitops-layout: begin", where=".github/CODEOWNERS", inert=True),
]  # fmt: skip

_CHARTS = [
    Mutant("D008", _SHOP_MAP, "\ndata:\n", "\ndata:\n  session: {{ randAlphaNum 24 | quote }}\n", "randAlphaNum", of="chart"),
    Mutant("H003", _VALUES, "tier: gold\n", "tier: 7\n", "tier: 7", where=_VALUES, of="chart", beside=("L003", "H015"),
           given=((_VALUES, "replicas: 1\n", "replicas: 1\ntier: gold\n"), (_SHOP_MAP, "\ndata:\n", "\ndata:\n  tier: {{ .Values.tier | quote }}\n"), ("apps/shop/chart/values.schema.json", "", '{"type": "object", "properties": {"tier": {"type": "string"}}}\n'))),
    Mutant("H015", _SHOP_MAP, "\ndata:\n", "\ndata:\n  level: {{ .Values.log-level }}\n", "log-level", of="chart"),
    Mutant("H020", _SHOP_MAP, "\ndata:\n", "\ndata:\n  {{- range .Values.levels }}\n  {{ . }}: {{ $.Release.Name }}-{{ .Values.replicas }}\n  {{- end }}\n", ".Values.replicas", of="chart", beside=("H015",),
           given=((_VALUES, "replicas: 1\n", "replicas: 1\nlevels: [a, b]\n"), (_SHOP_MAP, "\ndata:\n", "\ndata:\n  {{- range .Values.levels }}\n  {{ . }}-own: {{ $.Release.Name }}\n  {{- end }}\n"))),
    Mutant("H021", _VALUES, "key: level}\n", "value: level}\n", "secretKeyRef", where=_VALUES, of="chart", beside=("H015", "M001", "M002", "M025"),
           given=((_VALUES, "replicas: 1\n", "replicas: 1\nenv:\n  - name: LEVEL\n    valueFrom:\n      secretKeyRef: {name: levels, optional: true, key: level}\n"),
                  (_SHOP_POD, "          ports:\n", "          env: {{ .Values.env | toJson }}\n          ports:\n"))),
    Mutant("L028", _VALUES, "replicas: 1\n", "replicas: 1\nparts:\n  - {name: a, level: info}\n  - {name: b, level: info}\n  - {name: c, level: info}\n  - {name: d, levle: info}\n", "levle", of="chart", inert=True),
    Mutant("H018", _CHART, "version: 0.1.0", "verison: 0.1.0", of="chart", beside=("H015",)),
    Mutant("H019", _VALUES, "pullPolicy: Always", "pullPolicy: always", of="chart", beside=("M001", "M025"),
           given=((_VALUES, "replicas: 1\n", "replicas: 1\npullPolicy: Always\n"), (_SHOP_POD, "          ports:\n", "          imagePullPolicy: {{ .Values.pullPolicy }}\n          ports:\n"))),
    Mutant("V007", _CHART, "version: 0.1.0\n", "version: 0.1.0\ndependencies:\n  - name: redis\n    version: ^18.1.0\n    repository: https://charts.example.org\n", "^18", of="chart"),
    Mutant("H017", "apps/shop/base/release.yaml", "  valuesFrom:\n", "  values:\n    persistence:\n      existingClaim: shop-data\n  valuesFrom:\n", "existingClaim", of="chart", agents=FLUX,
           also=(("apps/shop/base/claim.yaml", "", "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: shop-data-pvc\nspec:\n  accessModes: [ReadWriteOnce]\n  resources: {requests: {storage: 1Gi}}\n"), ("apps/shop/base/kustomization.yaml", "  - release.yaml\n", "  - release.yaml\n  - claim.yaml\n"))),
]  # fmt: skip

MUTANTS = [*_HERE, *_CHARTS]
