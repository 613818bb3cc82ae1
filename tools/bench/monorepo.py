"""A synthetic GitOps monorepo: apps times three environments, as Flux delivers them.

Each app has a base of five resources and an overlay per environment (`apps/<app>/overlays/<env>`), which
patches in both ways, labels, sets the namespace and the image; every 5th app generates a ConfigMap, every
7th copies values by replacements, every 10th has a component. `clusters/<env>` holds the Flux objects.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["ENVS", "as_argocd", "write_monorepo"]

ENVS = ("dev", "staging", "production")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _base(root: Path, app: str, i: int) -> None:
    b = root / "apps" / app / "base"
    _write(
        b / "deployment.yaml",
        f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {app}
  labels:
    app.kubernetes.io/name: {app}  # the app's own name
    app.kubernetes.io/part-of: team-{i % 20}
spec:
  replicas: 1
  selector:
    matchLabels:
      app.kubernetes.io/name: {app}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {app}
    spec:
      serviceAccountName: {app}
      securityContext:
        runAsNonRoot: true
        seccompProfile: {{type: RuntimeDefault}}
      containers:
        - name: {app}
          image: registry.example.com/team-{i % 20}/{app}:1.{i % 50}.0
          imagePullPolicy: IfNotPresent
          args: ["serve", "--port=8080", "--log-level", "info"]
          ports:
            - name: http
              containerPort: 8080
          env:
            - name: APP_NAME
              value: "{app}"
            - name: FEATURE_FLAG
              value: "on"
          envFrom:
            - configMapRef:
                name: {app}-config
          resources:
            requests: {{cpu: 100m, memory: 128Mi}}
            limits:
              memory: 256Mi
          readinessProbe:
            httpGet:
              path: /healthz
              port: http
            initialDelaySeconds: 5
          livenessProbe:
            httpGet:
              path: /healthz
              port: http
          securityContext:
            allowPrivilegeEscalation: false
            capabilities:
              drop: ["ALL"]
""",
    )
    _write(
        b / "service.yaml",
        f"""\
apiVersion: v1
kind: Service
metadata:
  name: {app}
spec:
  selector:
    app.kubernetes.io/name: {app}
  ports:
    - name: http
      port: 80
      targetPort: http
""",
    )
    _write(
        b / "serviceaccount.yaml",
        f"""\
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {app}
automountServiceAccountToken: false
""",
    )
    _write(
        b / "configmap.yaml",
        f"""\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {app}-config
data:
  LOG_LEVEL: info
  config.yaml: |
    server:
      port: 8080
      # comment inside a block scalar
      timeout: 30s
    features:
      - alpha
      - beta
""",
    )
    _write(
        b / "networkpolicy.yaml",
        f"""\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {app}
spec:
  podSelector:
    matchLabels:
      app.kubernetes.io/name: {app}
  policyTypes: [Ingress]
  ingress:
    - from:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: ingress
      ports:
        - protocol: TCP
          port: 8080
""",
    )
    _write(
        b / "kustomization.yaml",
        """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - deployment.yaml
  - service.yaml
  - serviceaccount.yaml
  - configmap.yaml
  - networkpolicy.yaml
""",
    )
    if i % 10 == 0:
        _write(
            root / "apps" / app / "components/monitoring/kustomization.yaml",
            """\
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
patches:
  - target:
      kind: Deployment
    patch: |-
      - op: add
        path: /spec/template/metadata/annotations
        value:
          prometheus.io/scrape: "true"
""",
        )


def _overlay(root: Path, app: str, i: int, n: int, env: str) -> None:
    o = root / "apps" / app / "overlays" / env
    extra = ""
    if i % 10 == 0:
        extra += "components:\n  - ../../components/monitoring\n"
    if i % 5 == 0:
        extra += f"configMapGenerator:\n  - name: {app}-extra\n    literals:\n      - ENV={env}\n      - TIER=backend\n"
    if i % 7 == 0:
        extra += f"""\
replacements:
  - source:
      kind: Service
      name: {app}
      fieldPath: metadata.name
    targets:
      - select:
          kind: Deployment
        fieldPaths:
          - spec.template.spec.containers.[name={app}].env.[name=APP_NAME].value
"""
    _write(
        o / "kustomization.yaml",
        f"""\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: {app}-{env}
resources:
  - ../../base
labels:
  - pairs:
      environment: {env}
    includeSelectors: false
patches:
  - path: patch-replicas.yaml
  - path: patch-resources.yaml
    target:
      kind: Deployment
      name: {app}
images:
  - name: registry.example.com/team-{i % 20}/{app}
    newTag: 1.{i % 50}.{n}
{extra}""",
    )
    _write(
        o / "patch-replicas.yaml",
        f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {app}
spec:
  replicas: {n + 1}
""",
    )
    _write(
        o / "patch-resources.yaml",
        f"""\
- op: replace
  path: /spec/template/spec/containers/0/resources/limits/memory
  value: {256 * (n + 1)}Mi
""",
    )
    _write(
        root / "clusters" / env / "apps" / f"{app}.yaml",
        f"""\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: {app}
  namespace: flux-system
spec:
  interval: 10m
  path: ./apps/{app}/overlays/{env}
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
""",
    )


def write_monorepo(root: Path, apps: int) -> None:
    """Write the tree of so many apps into a folder."""
    for i in range(apps):
        app = f"app-{i:04d}"
        _base(root, app, i)
        for n, env in enumerate(ENVS):
            _overlay(root, app, i, n, env)
    for env in ENVS:
        listed = "".join(f"  - apps/app-{i:04d}.yaml\n" for i in range(apps))
        head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"
        _write(root / "clusters" / env / "kustomization.yaml", head + listed)


def as_argocd(root: Path, apps: int) -> None:
    """Have Argo CD deliver the tree instead: an Application where a Flux Kustomization stood."""
    for env in ENVS:
        for i in range(apps):
            app = f"app-{i:04d}"
            _write(
                root / "clusters" / env / "apps" / f"{app}.yaml",
                f"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: {app}-{env}
  namespace: argocd
spec:
  project: apps
  source:
    repoURL: https://git.example.com/acme/platform.git
    targetRevision: main
    path: apps/{app}/overlays/{env}
  destination:
    server: https://kubernetes.default.svc
    namespace: {app}-{env}
  syncPolicy:
    automated:
      prune: true
      selfHeal: true
    syncOptions:
      - CreateNamespace=true
""",
            )
    _write(
        root / "clusters/project.yaml",
        """\
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata:
  name: apps
  namespace: argocd
spec:
  sourceRepos: [https://git.example.com/acme/platform.git]
  destinations:
    - {server: https://kubernetes.default.svc, namespace: "app-*"}
  clusterResourceWhitelist:
    - {group: "", kind: Namespace}
""",
    )
