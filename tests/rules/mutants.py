"""Mistakes to plant in a clean scaffold, one a rule that has a site there."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["MUTANTS", "Mutant", "applied", "brought", "synced"]

WEB = "apps/web/base/deployment.yaml"
SERVICE = "apps/web/base/service.yaml"
BASE = "apps/web/base/kustomization.yaml"
PROD = "apps/web/envs/prod/kustomization.yaml"
LOCAL = "apps/web/envs/prod/local.yaml"
SETTINGS = "apps/web/envs/prod/settings/kustomization.yaml"
VERSION = "apps/web/envs/prod/version/kustomization.yaml"
BUDGET = "apps/web/envs/prod/disruption-budget.yaml"
UNIT = "clusters/eu/apps/prod/web.yaml"
API = "clusters/eu/apps/prod/api.yaml"
PROJECT = "clusters/eu/bootstrap/apps-project.yaml"
CI = ".github/workflows/release-web.yaml"


@dataclass(frozen=True)
class Mutant:
    """`old`, which stands in the file once or more (the first is meant), becomes `new`; `rule` reports it.

    `marker` is the text whose line is right, the first line of `new` where it is empty; it stands in `where`, or in
    the file itself. `also` are further changes that the mistake is made of, `(file, old, new)`; an empty `old` means a
    new file. `beside` are rules that may say what the mistake brings about. `inert` says that the mistake is one of
    form: what is delivered stays the same. `of` names the scaffold, `given` are changes of the same form that are no
    mistakes, made before: a habit, or a chart's value that something reads. `links` are symbolic links, path and target,
    `tags` the files that tags hold. `since` judges the mistake as a change of the scaffold.
    """

    rule: str
    file: str
    old: str
    new: str
    marker: str = ""
    beside: tuple[str, ...] = ()
    agents: tuple[str, ...] = ("flux", "argocd")
    where: str = ""
    also: tuple[tuple[str, str, str], ...] = ()
    inert: bool = field(default=False)
    of: str = "monorepo"
    given: tuple[tuple[str, str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()
    since: bool = False


FLUX, ARGO = ("flux",), ("argocd",)
_PORT = "      targetPort: http\n"
_WAIT = "  prune: true\n  wait: true\n"
_RETRY = "    syncOptions:\n      - ServerSideApply=true\n"


def brought(rule: str, text: str, marker: str, *beside: str, **more: object) -> Mutant:
    """One more object beside the app's Service."""
    return Mutant(rule, SERVICE, _PORT, f"{_PORT}---\n{text}", marker, beside, **more)  # type: ignore[arg-type]


def applied(
    rule: str, text: str, marker: str, *beside: str, agents: tuple[str, ...] = FLUX, **more: object
) -> Mutant:
    """One more object of an agent beside the app's own."""
    old = _WAIT if agents == FLUX else _RETRY
    return Mutant(rule, UNIT, old, f"{old}---\n{text}", marker, beside, agents, **more)  # type: ignore[arg-type]


def synced(rule: str, text: str, marker: str, *beside: str, **more: object) -> Mutant:
    """Something more in the spec of the app's Application."""
    return Mutant(rule, UNIT, "spec:\n", f"spec:\n{text}", marker, beside, ARGO, **more)  # type: ignore[arg-type]


_JOB = "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {name}\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n      automountServiceAccountToken: false\n      securityContext: {{runAsNonRoot: true, runAsUser: 65532, seccompProfile: {{type: RuntimeDefault}}}}\n      containers:\n        - name: job\n          image: ghcr.io/acme/tools:1.0.0\n          command: {command}\n          securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}\n"
GIT = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata:\n  name: other\n  namespace: flux-system\nspec:\n  interval: {interval}\n  url: {url}\n  ref:\n    branch: main\n"
_OCI = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata:\n  name: other\n  namespace: flux-system\nspec:\n  interval: 10m\n  url: {url}\n  ref:\n    tag: {tag}\n"
_HELM_SOURCE = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata:\n  name: charts\n  namespace: flux-system\nspec:\n  interval: 1h\n  url: https://charts.example.org\n---\n"
_RELEASE = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: cache\n  namespace: flux-system\nspec:\n  interval: 10m\n"
_CHART = "  chart:\n    spec:\n      chart: redis\n      version: {version}\n      sourceRef:\n        kind: HelmRepository\n        name: charts\n"
SET = "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata:\n  name: more\n  namespace: argocd\nspec:\n{head}  generators:\n    - {generator}\n  template:\n    metadata:\n      name: {name}\n    spec:\n      project: apps\n      source:\n        repoURL: https://github.com/acme/platform.git\n        targetRevision: main\n        path: {path}\n      destination:\n        server: https://kubernetes.default.svc\n        namespace: web\n"
_GO = "  goTemplate: true\n"
_STRICT = '  goTemplateOptions: ["missingkey=error"]\n'
LIST = "list: {elements: [{app: one}]}"
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: more\n"
_POLICY = "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata:\n  name: web\n  namespace: {namespace}\nspec:\n  imageRepositoryRef:\n    name: {repository}\n  policy:\n    semver:\n      range: 1.x\n"
_REPOSITORY = "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata:\n  name: web\n  namespace: {namespace}\nspec:\n  interval: 10m\n  image: {image}\n"
AUTOMATION = "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageUpdateAutomation\nmetadata:\n  name: images\n  namespace: flux-system\nspec:\n  interval: 10m\n  sourceRef:\n    kind: GitRepository\n    name: flux-system\n{more}  git:\n    commit:\n      author:\n        name: flux\n        email: flux@example.org\n{push}  update:\n    path: {path}\n    strategy: Setters\n"
AUTOMATED = "{}---\n{}---\n{}".format(
    _REPOSITORY.format(namespace="flux-system", image="ghcr.io/acme/web"),
    _POLICY.format(namespace="flux-system", repository="web"),
    "{automation}",
)
PUSH = "    push:\n      branch: image-updates\n"
SHOWN = ("F013", "V009", "R011", "R014", "V005", "F026", "V008", "V004")
"""What is said of any such object in the strict profile."""

_FIELDS = [
    Mutant("D001", WEB, "  name: web\n", "  name: web: x\n"),
    Mutant("D002", WEB, "  name: web\n", "  name: web\n  name: web\n", marker="  name: web", beside=("K016",)),
    Mutant("D005", WEB, "  name: web\n", "  name: web\n  uid: 5c4a5bbd-0000-0000-0000-000000000000\n", marker="  uid:"),
    Mutant("D006", SERVICE, "  name: web\n", "  generateName: web-\n", beside=("K016", "L003", "M019")),
    Mutant("D016", WEB, "  name: web\n", "<<<<<<< HEAD\n  name: web\n=======\n  name: www\n>>>>>>> other\n", beside=("D001", "K016")),
    Mutant("K001", PROD, "  - disruption-budget.yaml\n", "  - disruption-budgets.yaml\n", beside=("K002",)),
    Mutant("K002", BASE, "  - service.yaml\n", "  - settings.yaml\n", marker="resources:", also=(("apps/web/base/settings.yaml", "", f"{MAP}data: {{a: b}}\n"),), beside=("L003",)),
    Mutant("K003", PROD, "labels:\n  - pairs:\n      app.kubernetes.io/instance: web-prod\n    includeTemplates: true\n",
           "commonAnnotations:\n  owner: web\nbases:\n  - ../../base\n", marker="bases:", beside=("K016", "L008")),
    Mutant("K004", PROD, "  - path: local.yaml\n", "  - path: local.yaml\n    target: {kind: Deployment, name: wob}\n", marker="target", beside=("L004",)),
    Mutant("K005", PROD, "  - name: web\n    newName", "  - name: wob\n    newName", marker="wob", beside=("V001", "M025")),
    Mutant("K011", BASE, "  - service.yaml\n", "  - service.yaml\n  - ../envs/prod\n", marker="../../base", where=PROD, beside=("L001",)),
    Mutant("K012", PROD, "  - path: local.yaml\n", "  - path: ../staging/local.yaml\n", agents=ARGO, beside=("L001", "K002", "L004", "L002")),
    Mutant("K016", "apps/web/base/kustomization.yaml", "v1beta1", "v1beta2"),
    Mutant("L001", PROD, "  - ../../base\n", "  - ../staging\n", beside=("K016", "L002", "K001")),
    Mutant("L003", PROD, "  - ../../base\n", "  - ../../base/deployment.yaml\n", marker="resources:", agents=FLUX),
    Mutant("L012", "apps/web/extra/kustomize.yaml", "", "resources: [settings.yaml]\n", inert=True, also=(("apps/web/extra/settings.yaml", "", f"{MAP}data: {{a: b}}\n"),)),
    Mutant("L013", "apps/web/base/kustomization.yml", "", "resources: [deployment.yaml]\n", marker="apiVersion", where=BASE, beside=("K016",)),
    Mutant("M001", WEB, "containerPort: 3000", "containerPort: web"),
    Mutant("M002", WEB, "containerPort: 3000", "containerPorts: 3000", beside=("M001",)),
    Mutant("M005", BUDGET, "apiVersion: policy/v1", "apiVersion: policy/v1beta1"),
    Mutant("M001", SERVICE, "apiVersion: v1", "apiVersion: apps/v1", beside=("L003",)),
    Mutant("M009", SERVICE, "  selector:\n    app.kubernetes.io/name: web\n", "  selector:\n    app.kubernetes.io/name: wob\n", marker="wob"),
    Mutant("M014", BUDGET, "  maxUnavailable: 1\n", "  maxUnavailable: 0\n"),
    Mutant("M011", WEB, "name: web-settings", "name: web-setting"),
    Mutant("M012", WEB, "      automountServiceAccountToken", "      serviceAccountName: wob\n      automountServiceAccountToken"),
    Mutant("M019", SERVICE, "  name: web\n", "  name: Web_1\n", beside=("L003",)),
    Mutant("M020", WEB, "memory: 64Mi", "memory: 64m"),
    Mutant("M025", WEB, "            - name: tmp\n              mountPath", "            - name: temp\n              mountPath",
           marker="- name: temp"),
    Mutant("M026", WEB, "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true"),
    Mutant("M028", LOCAL, "replicas: 2", "replicas: 4294967298"),
    Mutant("M030", WEB, "          emptyDir:\n            sizeLimit: 64Mi\n", "          persistentVolumeClaim:\n            claimName: web-data\n", marker="claimName"),
    Mutant("M031", WEB, "          envFrom:\n", "          env:\n            - name: LEVEL\n              valueFrom:\n                configMapKeyRef: {name: web-settings, key: LOG_LEVLE}\n          envFrom:\n", marker="LOG_LEVLE"),
    Mutant("M033", WEB, "              path: /\n", "              path: http://localhost/\n"),
    Mutant("S002", SETTINGS, "configMapGenerator:\n", "secretGenerator:\n  - name: web-access\n    literals:\n      - password=hunter2hunter2\nconfigMapGenerator:\n", marker="password", beside=("S006",)),
    Mutant("S004", ".sops.yaml", "", "creation_rules:\n  - path_regex: .*/secret\\.yaml$\n    age: age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\n",
           marker="password", where="apps/web/envs/prod/secret.yaml", beside=("S001",),
           also=(("apps/web/envs/prod/secret.yaml", "", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: access\nstringData:\n  password: hunter2hunter2\n"),
                 (PROD, "  - namespace.yaml\n", "  - namespace.yaml\n  - secret.yaml\n"))),
    Mutant("S011", LOCAL, "  replicas: 2\n", "  replicas: 2\n  template:\n    spec:\n      containers:\n        - name: web\n          securityContext: {privileged: true, allowPrivilegeEscalation: true}\n",
           marker="privileged", beside=("M026", "L004", "M025")),
    Mutant("S015", PROD, "namespace: web\n", "namespace: default\n", beside=("L011", "A003", "K016", "K020", "M011", "M026")),
    Mutant("V001", VERSION, "newTag: ", "newTag: latest # ", marker="newTag: latest"),
    Mutant("V006", PROD, "  - namespace.yaml\n", "  - namespace.yaml\n  - https://github.com/acme/bases//web?ref=main\n", marker="acme/bases", beside=("L011", "L003")),
    Mutant("V013", "apps/web/base/settings.yaml", "", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n",
           also=((BASE, "  - service.yaml\n", "  - service.yaml\n  - settings.yaml\n"),), beside=("K016", "D001", "L003")),
    Mutant("V019", WEB, "image: web #", "image: ghcr.io/acme/web@sha256:fd96300600f9 #", beside=("K005", "M025")),
    Mutant("P001", CI, "    steps:\n",
           "    steps:\n      - run: kubectl apply -f apps/web/base\n", marker="kubectl apply", inert=True),
    Mutant("P002", CI, "    steps:\n",
           "    steps:\n      - run: aws eks update-kubeconfig --name prod --region eu-central-1\n      - run: kubectl apply -k apps/web/envs/prod\n",
           marker="update-kubeconfig", beside=("P001",), inert=True),
    Mutant("C001", WEB, "  name: web\n", "  name: web # gitops-layout: ignore[V001]\n", inert=True, beside=("C002",)),
    Mutant("C002", WEB, "  name: web\n", "  name: web # gitops-layout: ignore[V001] it is built here\n", inert=True),
    Mutant("C003", WEB, "image: web # gets", "image: web # gitops-layout: ignore[V001] it is built here until=2025-01-01 # gets", inert=True, beside=("C002",)),
    Mutant("C004", WEB, "  name: web\n", "  name: web # gitops-layout: ignore[X001] it is built here\n", inert=True),
]  # fmt: skip

_BROUGHT = [
    brought("D007", _JOB.format(name="migrate-1", command="[kubectl, apply, -f, /manifests]"), "command:", "V002"),
    brought("D012", "apiVersion: v1\nkind: List\nitems:\n  - apiVersion: v1\n    kind: ConfigMap\n    metadata: {name: more}\n    data: {a: b}\n", "kind: List", "L003"),
    brought("D017", "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: web\nspec:\n  defaultBackend: {service: {name: web, port: {name: http}}}\n  rules:\n    - host: web.example.org\"\n", "host:", "M025", "M001", "M019"),
    brought("D018", f"{MAP}data:\n  board.json: |\n    {{\n      \"timezone\": \"browser\",,\n      \"version\": 3\n    }}\n", "browser"),
    brought("D009", "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: web\nspec:\n  rules:\n    - host: web.<CLUSTER_NAME>.example.org\n      http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}]}\n", "CLUSTER_NAME", "M025"),
    brought("M010", "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: web\nspec:\n  defaultBackend:\n    service:\n      name: wob\n      port: {name: http}\n", "name: wob"),
    brought("M013", "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata:\n  name: web\nspec:\n  minReplicas: 2\n  maxReplicas: 4\n  metrics:\n    - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}\n  scaleTargetRef:\n    apiVersion: apps/v1\n    kind: Deployment\n    name: wob\n", "name: wob"),
    brought("M022", "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata:\n  name: web\nroleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: Role\n  name: reader\nsubjects:\n  - {kind: ServiceAccount, name: default}\n", "name: reader", "M012"),
    brought("M034", "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: reader\nrules:\n  - apiGroups: [\"apps/v1\"]\n    resources: [deployments]\n    verbs: [get]\n", "apiGroups"),
    brought("R005", "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata:\n  name: web\nspec:\n  minReplicas: 2\n  maxReplicas: 4\n  metrics:\n    - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}\n", "replicas: 2", where=LOCAL),
    brought("R017", _JOB.format(name="migrate", command="[migrate]"), "name: migrate", "V002"),
    brought("S001", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: access\nstringData:\n  password: hunter2hunter2\n", "password"),
    brought("S003", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: access\nstringData:\n  password: hunter2hunter2\nsops:\n  mac: ENC[AES256_GCM,data:qg==,iv:MDAw,tag:MDAw,type:str]\n  version: 3.9.0\n", "password", "F007", "S001", "D009"),
    brought("S005", f"{MAP}data:\n  tls.key: |\n    -----BEGIN RSA PRIVATE KEY-----\n    MIIEpAIBAAKCAQEAn6wJQ5pPp0Kq7xgq8o2Xw6h5oVxJmK1sQ9y0u1c8Z4bT2dRf\n    -----END RSA PRIVATE KEY-----\n", "BEGIN RSA", "S006"),
    brought("S006", f"{MAP}data:\n  DB_PASSWORD: q7Vx9mLw2ZkP\n", "DB_PASSWORD"),
    brought("S007", "apiVersion: external-secrets.io/v1\nkind: SecretStore\nmetadata:\n  name: vaults\nspec:\n  provider: {fake: {data: [{key: a, value: b}]}}\n---\napiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata:\n  name: access\nspec:\n  refreshInterval: 1h\n  secretStoreRef:\n    kind: SecretStore\n    name: vault\n  target: {name: access}\n  data:\n    - {secretKey: password, remoteRef: {key: web, property: password}}\n", "name: vault\n"),
    brought("S012", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: argocd-rbac-cm\ndata:\n  policy.default: role:admin\n", "policy.default"),
    brought("R013", f"{MAP}  annotations:\n    kustomize.toolkit.fluxcd.io/prun: disabled\ndata: {{a: b}}\n", "prun:", agents=FLUX),
    brought("A011", f"{MAP}  annotations:\n    argocd.argoproj.io/hook: PreSyncs\ndata: {{a: b}}\n", "hook:", agents=ARGO),
    brought("A012", f"{MAP}  annotations:\n    argocd.argoproj.io/sync-wave: first\ndata: {{a: b}}\n", "sync-wave", agents=ARGO),
]  # fmt: skip

_OF_FLUX = [
    Mutant("R003", UNIT, "prune: true", "prune: false", agents=FLUX),
    Mutant("P005", UNIT, "spec:\n", "spec:\n  suspend: true\n", marker="suspend", agents=FLUX),
    Mutant("P006", UNIT, "  namespace: flux-system\n", "  namespace: flux-system\n  annotations:\n    kustomize.toolkit.fluxcd.io/reconcile: disabled\n", marker="reconcile", agents=FLUX),
    Mutant("P007", UNIT, "  namespace: flux-system\n", "  namespace: flux-system\n  annotations:\n    reconcile.fluxcd.io/requestedAt: '2026-01-01'\n", marker="requestedAt", agents=FLUX),
    Mutant("F001", UNIT, "name: flux-system\n  path", "name: flux-systems\n  path", marker="flux-systems", agents=FLUX,
           beside=("F002",)),
    Mutant("F002", UNIT, "path: ./apps/web/envs/prod", "path: ./apps/web/env/prod", agents=FLUX, beside=("L003", "R022")),
    Mutant("F003", UNIT, "spec:\n", "spec:\n  dependsOn: [{name: apii-prod}]\n", marker="dependsOn", agents=FLUX),
    Mutant("F004", UNIT, "spec:\n", "spec:\n  dependsOn: [{name: web-prod}]\n", marker="dependsOn", agents=FLUX),
    Mutant("F005", SETTINGS, "LOG_LEVEL=info", "LOG_LEVEL=${LOG_LEVLE}", agents=FLUX, beside=("L003", "L002"),
           also=((UNIT, "spec:\n", "spec:\n  postBuild: {substitute: {LOG_LEVEL: info}}\n"),)),
    Mutant("F006", UNIT, "spec:\n", "spec:\n  postBuild: {substituteFrom: [{kind: ConfigMap, name: cluster-setings}]}\n", marker="setings", agents=FLUX,
           also=(("clusters/eu/kustomization.yaml", "resources:\n", "resources:\n  - settings.yaml\n"), ("clusters/eu/settings.yaml", "", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cluster-settings, namespace: flux-system}\ndata: {a: b}\n"))),
    Mutant("F007", BASE, "  - service.yaml\n", "  - service.yaml\n  - access.sops.yaml\n", marker="name: web-prod", where=UNIT, agents=FLUX,
           also=(("apps/web/base/access.sops.yaml", "", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: access\nstringData:\n  password: ENC[AES256_GCM,data:qg==,iv:MDAw,tag:MDAw,type:str]\nsops:\n  encrypted_regex: ^(data|stringData)$\n  mac: ENC[AES256_GCM,data:qg==,iv:MDAw,tag:MDAw,type:str]\n  version: 3.9.0\n"),)),
    Mutant("F016", UNIT, "    kind: GitRepository\n", "    kind: GitRepository\n    namespace: other\n", marker="namespace: other", agents=FLUX, beside=("F001", "F002"),
           also=(("clusters/eu/flux-system/flux-instance.yaml", "multitenant: false", "multitenant: true"),)),
    Mutant("F018", UNIT, "spec:\n", "spec:\n  healthChecks: [{apiVersion: apps/v1, kind: Deployment, name: wob, namespace: web}]\n", marker="healthChecks", agents=FLUX),
    Mutant("R024", UNIT, "  prune: true\n", "  prune: true\n  force: true\n", marker="force", agents=FLUX, beside=("L003",),
           also=((SERVICE, _PORT, f"{_PORT}---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: web}}\nspec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}\n"),)),
    Mutant("F027", UNIT, "spec:\n", "spec:\n  healthChecks: [{apiVersion: batch/v1, kind: Deployment, name: web, namespace: web}]\n",
           marker="healthChecks", agents=FLUX),
    Mutant("R004", UNIT, "  wait: true\n", "  wait: false\n", agents=FLUX, also=((API, "spec:\n", "spec:\n  dependsOn: [{name: web-prod}]\n"),)),
    Mutant("R012", PROD, "labels:\n", "commonAnnotations:\n  kustomize.toolkit.fluxcd.io/prune: disabled\nlabels:\n", marker="prune: disabled", agents=FLUX, beside=("K003",)),
    Mutant("L010", "apps/web/base/queue.yaml", "", "apiVersion: example.org/v1\nkind: Queue\nmetadata:\n  name: orders\n", where=UNIT, marker="name: web-prod", agents=FLUX,
           beside=("L003", "R004"),
           also=((BASE, "  - service.yaml\n", "  - service.yaml\n  - queue.yaml\n"), ("apps/api/base/kustomization.yaml", "resources:\n", "resources:\n  - crd.yaml\n"),
                 ("apps/api/base/crd.yaml", "", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: queues.example.org}\nspec:\n  group: example.org\n  names: {kind: Queue, plural: queues, singular: queue, listKind: QueueList}\n  scope: Namespaced\n  versions:\n    - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}\n"))),
    applied("L008", "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: web-copy\n  namespace: flux-system\nspec:\n  interval: 10m\n  retryInterval: 1m\n  timeout: 5m\n  sourceRef: {kind: GitRepository, name: flux-system}\n  path: ./apps/web/envs/prod\n  prune: true\n  wait: true\n",
            "namespace: web", "V005", where=PROD),
    applied("L011", f"{MAP}  namespace: messagin\ndata: {{a: b}}\n", "messagin"),
    applied("P010", GIT.format(interval="5s", url="https://github.com/acme/other"), "interval: 5s", *SHOWN),
    applied("P011", GIT.format(interval="5m", url="http://git.example.org/acme/other"), "url: http:", *SHOWN),
    applied("M006", GIT.format(interval="5m", url="https://github.com/acme/other").replace("io/v1", "io/v1beta2"), "v1beta2", *SHOWN),
    applied("V004", GIT.format(interval="5m", url="https://github.com/elsewhere/other") + "---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: other\n  namespace: flux-system\nspec:\n  interval: 10m\n  retryInterval: 1m\n  timeout: 5m\n  sourceRef: {kind: GitRepository, name: other}\n  path: ./deploy\n  prune: true\n  wait: true\n",
            "  ref:\n", *SHOWN),
    applied("V008", _OCI.format(url="oci://ghcr.io/acme/infra", tag="latest"), "tag: latest", *SHOWN),
    applied("V009", _OCI.format(url="oci://ghcr.io/acme/infra", tag="1.0.0"), "url: oci", *SHOWN),
    applied("F013", _OCI.format(url="oci://123456789012.dkr.ecr.eu-central-1.amazonaws.com/infra", tag="1.0.0"), "url: oci", *SHOWN),
    applied("H012", _HELM_SOURCE.replace("---\n", "").replace("https://charts.example.org\n", "oci://ghcr.io/acme\n  type: oci\n"), "type: oci", *SHOWN),
    applied("V003", _HELM_SOURCE + _RELEASE + _CHART.format(version='"*"'), "version:", *SHOWN),
    applied("V003", _OCI.format(url="oci://ghcr.io/acme/charts/cache", tag="1.2.3\n    semver: 1.x") + "---\n" + _RELEASE + "  chartRef: {kind: OCIRepository, name: other}\n", "semver:", *SHOWN),
    applied("R011", _HELM_SOURCE + _RELEASE + _CHART.format(version="1.2.3"), "name: cache", *SHOWN),
    applied("R014", _HELM_SOURCE + _RELEASE + "  driftDetection: {mode: enabled}\n" + _CHART.format(version="1.2.3"), "name: cache", *SHOWN),
    applied("H005", _HELM_SOURCE + _RELEASE + _CHART.format(version="1.2.3") + "  valuesFrom:\n    - kind: ConfigMap\n      name: cache-value\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: cache-values, namespace: flux-system}\ndata: {values.yaml: \"a: b\"}\n", "name: cache-value\n", *SHOWN),
    applied("H008", _HELM_SOURCE + _RELEASE + _CHART.format(version="1.2.3") + "  targetNamespace: cache\n", "targetNamespace", "L011", *SHOWN),
    applied("H001", _RELEASE + "  chart:\n    spec:\n      chart: ./charts/cache\n      sourceRef: {kind: GitRepository, name: flux-system}\n", "chart: ./charts/cache", *SHOWN),
    applied("M003", _RELEASE, "spec:", *SHOWN),
    applied("S006", _HELM_SOURCE + _RELEASE + _CHART.format(version="1.2.3") + "  values:\n    auth:\n      password: q7Vx9mLw2ZkP\n", "password", *SHOWN),
    applied("F012", AUTOMATED.format(automation=AUTOMATION.format(more="", push=PUSH, path="./apps")).replace("range: 1.x", "range: '*'"), "  policy:", *SHOWN),
    applied("F026", _POLICY.format(namespace="flux-system", repository="web"), "name: web\n  policy", "F010", "F009"),
    applied("F008", AUTOMATED.format(automation=AUTOMATION.format(more="", push=PUSH, path="./apps")), "flux-system:wob", where=VERSION,
            also=((VERSION, 'newTag: "1.4.0"', 'newTag: "1.4.0" # {"$imagepolicy": "flux-system:wob:tag"}'),)),
    applied("F009", f"{_REPOSITORY.format(namespace='web', image='ghcr.io/acme/web')}---\n{_POLICY.format(namespace='web', repository='web')}---\n" + AUTOMATION.format(more="", push=PUSH, path="./apps"),
            "name: images", "F010", "F011", "F008",
            also=((VERSION, 'newTag: "1.4.0"', 'newTag: "1.4.0" # {"$imagepolicy": "web:web:tag"}'),)),
    applied("F010", AUTOMATED.format(automation=AUTOMATION.format(more="  policySelector: {matchLabels: {team: wob}}\n", push=PUSH, path="./apps")), "name: images", "F011"),
    applied("F011", AUTOMATED.format(automation=AUTOMATION.format(more="", push=PUSH, path="./clusters")), "flux-system:web", where=VERSION,
            also=((VERSION, 'newTag: "1.4.0"', 'newTag: "1.4.0" # {"$imagepolicy": "flux-system:web:tag"}'),)),
    applied("V011", AUTOMATED.format(automation=AUTOMATION.format(more="", push="    checkout: {ref: {branch: main}}\n", path="./apps")), "    commit:", "V005",
            also=((VERSION, 'newTag: "1.4.0"', 'newTag: "1.4.0" # {"$imagepolicy": "flux-system:web:tag"}'),)),
    applied("F014", "apiVersion: notification.toolkit.fluxcd.io/v1beta3\nkind: Alert\nmetadata:\n  name: web\n  namespace: flux-system\nspec:\n  providerRef:\n    name: chat\n  eventSources:\n    - {kind: Kustomization, name: web-prod}\n", "name: chat"),
    applied("F015", "apiVersion: notification.toolkit.fluxcd.io/v1\nkind: Receiver\nmetadata:\n  name: push\n  namespace: flux-system\nspec:\n  type: github\n  secretRef: {name: webhook-token}\n  resources:\n    - {kind: GitRepository, name: wob}\n", "name: wob", "M011"),
    applied("F019", "apiVersion: source.extensions.fluxcd.io/v1beta1\nkind: ArtifactGenerator\nmetadata:\n  name: parts\n  namespace: flux-system\nspec:\n  sources:\n    - {alias: platform, kind: GitRepository, name: flux-system}\n  artifacts:\n    - name: web\n      copy:\n        - from: \"@platfrom/apps/web/**\"\n          to: \"@artifact/\"\n", "platfrom"),
]  # fmt: skip

_OF_ARGO = [
    Mutant("A001", UNIT, "project: ", "project: other # ", marker="project: other", agents=ARGO, beside=("A003",)),
    Mutant("A029", UNIT, "project: apps", "project: app", agents=ARGO, beside=("A003",)),
    Mutant("A003", PROJECT, "      namespace: web\n", "      namespace: wob\n", marker="namespace: web", where=UNIT, agents=ARGO),
    Mutant("A005", UNIT, "path: apps/web/envs/prod", "path: apps/web/env/prod", agents=ARGO, beside=("L003",)),
    Mutant("A006", UNIT, "    path: apps/web/envs/prod\n", "", marker="source:", where=UNIT, agents=ARGO, beside=("D003",)),
    applied("L011", f"{MAP.replace('more', 'notes')}  namespace: messagin\ndata: {{a: b}}\n", "messagin", "A003", agents=ARGO,
            given=((PROJECT.replace("apps-", "root-"), "      namespace: argocd\n", '      namespace: "*"\n'),)),
    Mutant("A008", UNIT, "project: apps", "project: default", agents=ARGO, beside=("A003",)),
    Mutant("A009", PROJECT, "    - https://github.com/acme/platform.git\n", "    - '*'\n", agents=ARGO,
           also=((PROJECT, "    - server: https://kubernetes.default.svc\n      namespace: api\n", "    - server: '*'\n      namespace: '*'\n"),)),
    Mutant("A010", UNIT, "syncOptions:\n", "syncOptions:\n      - CreateNamespaces=true\n", marker="CreateNamespaces", agents=ARGO),
    Mutant("A013", "apps/web/envs/prod/namespace.yaml", "  name: web\n", "  name: web\n  annotations: {argocd.argoproj.io/sync-wave: '5'}\n", marker="name: web", where=WEB, agents=ARGO),
    synced("A014", "  sources:\n    - repoURL: https://charts.example.org\n      chart: redis\n      targetRevision: 1.2.3\n      helm: {valueFiles: [$values/apps/web/values.yaml]}\n", "$values",
           "L003", "A003", "A006", also=((UNIT, "  source:\n    repoURL: https://github.com/acme/platform.git\n    targetRevision: \"main\"\n    path: apps/web/envs/prod\n", ""),)),
    Mutant("A027", SERVICE, _PORT, f"{_PORT}---\n{MAP}data: {{{', '.join(f'k{n}: {word}' for n, word in enumerate(['&text ' + 'word' * 256, *['*text'] * 299]))}}}\n", marker="name: more", agents=ARGO, beside=("L003",),
           also=((UNIT, "    syncOptions:\n      - ServerSideApply=true\n", ""),)),
    brought("M021", _JOB.format(name="migrate-1", command="[migrate]\n          env:\n            - {name: LEVEL, value: info}\n            - {name: LEVEL, value: debug}"), "debug", "V002", "L003", "M025", agents=ARGO, also=((UNIT, "    syncOptions:\n      - ServerSideApply=true\n", ""),)),
    Mutant("A030", UNIT, "path: apps/web/envs/prod", "path: apps/web/envs", agents=ARGO, beside=("L003",)),
    Mutant("A023", PROJECT, "spec:\n", "spec:\n  roles:\n    - name: dev\n      policies: ['p, proj:aps:dev, applications, sync, apps/*, allow']\n", marker="policies", agents=ARGO),
    Mutant("A024", PROJECT, "      namespace: api\n", "      namespace: web\n", marker="- server: https://kubernetes.default.svc\n      namespace: web\n    - server: https://kubernetes.default.svc\n      namespace: messaging", agents=ARGO, beside=("A003",)),
    Mutant("A026", UNIT, "syncOptions:\n", "syncOptions:\n      - Validate=false\n", marker="Validate", agents=ARGO),
    Mutant("P003", UNIT, "    automated:\n      prune: true\n      selfHeal: true\n", "", marker="syncPolicy:", agents=ARGO),
    Mutant("P006", UNIT, "  annotations:\n", "  annotations:\n    argocd.argoproj.io/skip-reconcile: 'true'\n", marker="skip", agents=ARGO),
    Mutant("P007", UNIT, "  annotations:\n", "  annotations:\n    argocd.argoproj.io/refresh: hard\n", marker="refresh", agents=ARGO),
    Mutant("P011", UNIT, "repoURL: https://github.com/acme/platform.git", "repoURL: http://github.com/acme/platform.git", agents=ARGO, beside=("A003", "L003")),
    Mutant("R001", UNIT, "selfHeal: true", "selfHeal: false", agents=ARGO),
    Mutant("R002", UNIT, "prune: true", "prune: false", agents=ARGO),
    synced("R007", "  ignoreDifferences:\n    - {group: apps, kind: Deployment, jsonPointers: [/spec/replicas]}\n", "jsonPointers"),
    synced("R008", "  ignoreDifferences:\n    - {kind: Deployment, jsonPointers: [/spec/paused]}\n", "kind: Deployment"),
    synced("R009", "  ignoreDifferences:\n    - {group: apps, kind: Deployment, jsonPointers: [/spec]}\n", "jsonPointers", "R007"),
    synced("R010", "  ignoreDifferences:\n    - {group: apps, kind: Deployment, jsonPointers: [spec/paused]}\n", "jsonPointers"),
    Mutant("R012", PROD, "labels:\n", "commonAnnotations:\n  argocd.argoproj.io/sync-options: Prune=false\nlabels:\n", marker="Prune=false", agents=ARGO, beside=("K003",)),
    Mutant("R014", UNIT, "      limit: 5\n", "      limit: 0\n", marker="syncPolicy:", where=UNIT, agents=ARGO),
    Mutant("R019", UNIT, "  finalizers:\n    - resources-finalizer.argocd.argoproj.io\n", "", marker="name: web-prod", agents=ARGO),
    Mutant("L014", UNIT, "path: apps/web/envs/prod", "path: /apps/web/envs/prod", agents=ARGO, beside=("L003", "A005")),
    Mutant("V003", UNIT, "    path: apps/web/envs/prod\n", "    chart: web\n", marker="targetRevision", agents=ARGO, beside=("L003", "A003", "A006"),
           also=((UNIT, 'targetRevision: "main"', 'targetRevision: 1.*'),)),
    Mutant("V012", UNIT, "  annotations:\n", "  annotations:\n    argocd-image-updater.argoproj.io/image-list: web=ghcr.io/acme/web\n", marker="image-list", agents=ARGO),
    Mutant("V016", UNIT, 'targetRevision: "main"', 'targetRevision: prod', agents=ARGO, beside=("V005", "P009", "L003"),
           also=(("clusters/lab/apps/staging/web.yaml", 'targetRevision: "main"', 'targetRevision: staging'),)),
    applied("A015", SET.format(head=_GO, generator=LIST, name="'{{.app}}'", path="apps/web/envs/prod"), "goTemplate", "A020", "L008", "P003", "V005", "A003", agents=ARGO),
    applied("A016", SET.format(head=_GO + _STRICT, generator=LIST, name="'{{.app}}'", path="'apps/{{.ap}}'"), "path:", "A020", "A003", agents=ARGO),
    applied("A017", SET.format(head=_GO + _STRICT, generator="git: {repoURL: https://github.com/acme/platform.git, revision: main, directories: [{path: app/*}]}", name="'{{.path.basename}}'", path="'{{.path.path}}'"), "path: app/*", "A020", "A003", agents=ARGO),
    applied("A018", SET.format(head=_GO + _STRICT, generator="list: {elements: [{app: one}, {app: two}]}", name="same", path="apps/web/envs/prod"), "- list:", "A020", "L008", "P003", "V005", "A003", agents=ARGO),
    applied("A021", SET.format(head=_GO + _STRICT, generator="git: {repoURL: https://github.com/acme/platform.git, revision: main, directories: [{path: apps/w*}]}", name="'{{.path.basename}}'", path="apps/web/envs/prod").replace("project: apps", "project: '{{.path.basename}}'"), "project:", "A020", "L008", "P003", "V005", "A001", "A003", "A029", agents=ARGO),
    applied("A019", SET.format(head=_GO + _STRICT, generator=LIST, name="'{{name}}'", path="apps/web/envs/prod"), "name: '{{name}}'", "A020", "A016", "A003", agents=ARGO),
    applied("H002", "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: cache\n  namespace: argocd\nspec:\n  project: apps\n  destination:\n    server: https://kubernetes.default.svc\n    namespace: web\n  sources:\n    - repoURL: https://charts.example.org\n      chart: redis\n      targetRevision: 1.2.3\n      helm:\n        valueFiles:\n          - $values/apps/web/cache.yaml\n    - repoURL: https://github.com/acme/platform.git\n      targetRevision: main\n      ref: values\n", "$values/apps", "A003", "P003", "V005", "R014", "R019", agents=ARGO),
    applied("A020", SET.format(head=_GO + _STRICT, generator=LIST, name="'{{.app}}'", path="apps/web/envs/prod"), "name: more", "L008", "P003", "V005", "A003", agents=ARGO),
]  # fmt: skip

MUTANTS = [*_FIELDS, *_BROUGHT, *_OF_FLUX, *_OF_ARGO]
