// fluxvalues answers what Flux's helm-controller hands to helm: one JSON request a line, one JSON answer a line.
//
// A request has a HelmRelease's `values` and `valuesFrom`, and `objects`: ConfigMaps by name. The answer is
// `value`, or `error`.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"

	"github.com/fluxcd/pkg/apis/meta"
	"github.com/fluxcd/pkg/chartutil"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

const namespace = "default"

type request struct {
	Values     map[string]any               `json:"values"`
	ValuesFrom []meta.ValuesReference       `json:"valuesFrom"`
	Objects    map[string]map[string]string `json:"objects"`
}

type answer struct {
	Value map[string]any `json:"value"`
	Error string         `json:"error,omitempty"`
}

func main() {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		panic(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		if err := out.Encode(merged(scheme, lines.Bytes())); err != nil {
			panic(err)
		}
	}
}

func merged(scheme *runtime.Scheme, line []byte) answer {
	var asked request
	if err := json.Unmarshal(line, &asked); err != nil {
		return answer{Error: err.Error()}
	}
	cluster := fake.NewClientBuilder().WithScheme(scheme)
	for name, data := range asked.Objects {
		where := metav1.ObjectMeta{Name: name, Namespace: namespace}
		cluster = cluster.WithObjects(&corev1.ConfigMap{ObjectMeta: where, Data: data})
	}
	values, err := chartutil.ChartValuesFromReferences(
		context.Background(), logr.Discard(), cluster.Build(), namespace, asked.Values, asked.ValuesFrom...,
	)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Value: values}
}
