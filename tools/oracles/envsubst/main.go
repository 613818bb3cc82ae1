// envsubst answers what Flux's kustomize-controller makes of an object's variables: one JSON request a line,
// one JSON answer a line.
//
// A request has `cases`. A case with `text` is expanded by the envsubst module alone; one with `object` goes
// the way of a built object, `vars` being the Kustomization's own `postBuild.substitute`. An answer has
// `cases` in the same order, each with `text` or `value`, or `error`; `yaml` is the text that was expanded.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/fluxcd/pkg/envsubst"
	"github.com/fluxcd/pkg/kustomize"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/provider"
)

type request struct {
	Cases []question `json:"cases"`
}

type question struct {
	Text   *string           `json:"text"`
	Object map[string]any    `json:"object"`
	Vars   map[string]string `json:"vars"`
	Strict bool              `json:"strict"`
	Always bool              `json:"always"`
}

type answer struct {
	Text  string          `json:"text,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
	YAML  string          `json:"yaml,omitempty"`
	Error string          `json:"error,omitempty"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<28)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var asked request
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			panic(err)
		}
		answers := make([]answer, len(asked.Cases))
		for i, one := range asked.Cases {
			if one.Text != nil {
				answers[i] = expanded(one)
			} else {
				answers[i] = substituted(one)
			}
		}
		if err := out.Encode(map[string]any{"cases": answers}); err != nil {
			panic(err)
		}
	}
}

func expanded(one question) (given answer) {
	defer survive(&given)
	text, err := envsubst.Eval(*one.Text, func(name string) (string, bool) {
		value, known := one.Vars[name]
		return value, known || !one.Strict
	})
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Text: text}
}

func substituted(one question) (given answer) {
	defer survive(&given)
	built, err := provider.NewDefaultDepProvider().GetResourceFactory().FromMap(one.Object)
	if err != nil {
		return answer{Error: err.Error()}
	}
	text, err := built.AsYAML()
	if err != nil {
		return answer{Error: err.Error()}
	}
	vars := map[string]any{}
	for name, value := range one.Vars {
		vars[name] = value
	}
	agent := unstructured.Unstructured{Object: map[string]any{
		"spec": map[string]any{"postBuild": map[string]any{"substitute": vars}},
	}}
	done, err := kustomize.SubstituteVariables(
		context.Background(), nil, agent, built,
		kustomize.SubstituteWithDryRun(true),
		kustomize.SubstituteWithStrict(one.Strict),
		kustomize.SubstituteWithAlways(one.Always),
	)
	if err != nil {
		return answer{Error: err.Error(), YAML: string(text)}
	}
	if done == nil {
		done = built
	}
	value, err := done.MarshalJSON()
	if err != nil {
		return answer{Error: err.Error(), YAML: string(text)}
	}
	return answer{Value: value, YAML: string(text)}
}

func survive(given *answer) {
	if crash := recover(); crash != nil {
		*given = answer{Error: fmt.Sprint("panic: ", crash)}
	}
}
