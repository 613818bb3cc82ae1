"""A real Kubernetes control plane on loopback, for tests and the demo, without a container engine.

`build` compiles the binaries from the Go modules pinned beside this file; `start` runs them. Any
folder with etcd and kube-apiserver will do (`KUBEBUILDER_ASSETS`, as setup-envtest prints it); with
kube-controller-manager, kube-scheduler and kwok beside them there are controllers and a node, too.
"""

from tools.controlplane.build import assets, build, build_agents, tool
from tools.controlplane.run import ControlPlane, start, stop

__all__ = ["ControlPlane", "assets", "build", "build_agents", "start", "stop", "tool"]
