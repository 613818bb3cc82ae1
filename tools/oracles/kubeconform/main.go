// kubeconform answers what kubeconform says of objects: one JSON object a line, one JSON answer a line, in the
// same order. The arguments are the version of Kubernetes and the templates of the places of schemas; there is
// no default place, so that nothing is fetched.
//
// An answer has `status` (valid, invalid, error, empty or skipped) and `error`, all that it says in one line.
package main

import (
	"bufio"
	"encoding/json"
	"os"

	"github.com/yannh/kubeconform/pkg/resource"
	"github.com/yannh/kubeconform/pkg/validator"
)

type answer struct {
	Status string `json:"status"`
	Error  string `json:"error"`
}

var words = map[validator.Status]string{
	validator.Error:   "error",
	validator.Skipped: "skipped",
	validator.Valid:   "valid",
	validator.Invalid: "invalid",
	validator.Empty:   "empty",
}

func main() {
	judge, err := validator.New(os.Args[2:], validator.Opts{KubernetesVersion: os.Args[1], Strict: true})
	if err != nil {
		panic(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<26)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		text := append([]byte(nil), lines.Bytes()...)
		result := judge.ValidateResource(resource.Resource{Path: "object", Bytes: text})
		said := answer{Status: words[result.Status]}
		if result.Err != nil {
			said.Error = result.Err.Error()
		}
		if err := out.Encode(said); err != nil {
			panic(err)
		}
	}
}
