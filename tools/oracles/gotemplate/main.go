// The oracle of gitops_layout/agents/gotemplate: real text/template, sprig, fasttemplate and mergo.
//
// One JSON request a line on standard input, one JSON answer a line on standard output:
//
//	{"mode": "go", "template": T, "data": {}, "missingkey": "error", "maps": {}, "lists": {}}
//	{"mode": "fast", "template": T, "data": {}}
//	{"mode": "merge", "data": {}, "other": {}, "override": true}
//	{"mode": "match", "template": PATTERN, "names": []}
//	→ {"text": …} or {"value": …} or {"error": …}
//
// "maps" and "lists" join data as map[string]string and []string, the types that generators yield.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"strings"
	"text/template"

	"dario.cat/mergo"
	"github.com/Masterminds/sprig/v3"
	"github.com/gosimple/slug"
	"github.com/valyala/fasttemplate"
	"sigs.k8s.io/yaml"
)

type request struct {
	Mode       string                       `json:"mode"`
	Template   string                       `json:"template"`
	Data       map[string]any               `json:"data"`
	Other      map[string]any               `json:"other"`
	Override   bool                         `json:"override"`
	Names      []string                     `json:"names"`
	MissingKey string                       `json:"missingkey"`
	Maps       map[string]map[string]string `json:"maps"`
	Lists      map[string][]string          `json:"lists"`
}

type answer struct {
	Text  *string `json:"text,omitempty"`
	Value any     `json:"value,omitempty"`
	Error string  `json:"error,omitempty"`
}

const maxTplDepth = 3

var (
	unnamed   = regexp.MustCompile("[^-a-z0-9.]")
	templated = regexp.MustCompile(".*{{.*}}.*")
)

func normalize(name string) string {
	clean := unnamed.ReplaceAllString(strings.ToLower(name), "-")
	return strings.Trim(clean[:min(len(clean), 253)], "-.")
}

func slugify(arguments ...any) string {
	slug.MaxLength, slug.EnableSmartTruncate = 50, true
	name := ""
	for index, argument := range arguments {
		if index == len(arguments)-1 {
			name = argument.(string)
		} else if index == 0 {
			slug.MaxLength = argument.(int)
		} else if index == 1 {
			slug.EnableSmartTruncate = argument.(bool)
		}
	}
	return slug.Make(normalize(name))
}

func functions() template.FuncMap {
	all := sprig.GenericFuncMap()
	delete(all, "env")
	delete(all, "expandenv")
	delete(all, "getHostByName")
	all["normalize"] = normalize
	all["slugify"] = slugify
	all["toYaml"] = func(value any) (string, error) {
		text, err := yaml.Marshal(value)
		return strings.TrimSuffix(string(text), "\n"), err
	}
	all["fromYaml"] = func(text string) (value map[string]any, err error) {
		value = map[string]any{}
		err = yaml.Unmarshal([]byte(text), &value)
		return value, err
	}
	all["fromYamlArray"] = func(text string) (value []any, err error) {
		err = yaml.Unmarshal([]byte(text), &value)
		return value, err
	}
	return all
}

func goTemplate(r request) (string, error) {
	for name, value := range r.Maps {
		r.Data[name] = value
	}
	for name, value := range r.Lists {
		r.Data[name] = value
	}
	whole := template.New("oracle").Funcs(functions()).Option("missingkey=" + r.MissingKey)
	depth := 0
	whole.Funcs(template.FuncMap{"tpl": func(text string, values any) (string, error) {
		depth++
		defer func() { depth-- }()
		if depth > maxTplDepth {
			return "", errors.New("tpl calls itself too often")
		}
		inner, err := template.Must(whole.Clone()).New("inner").Parse(text)
		if err != nil {
			return "", err
		}
		var out strings.Builder
		err = inner.Execute(&out, values)
		return strings.ReplaceAll(out.String(), "<no value>", ""), err
	}})
	parsed, err := whole.Parse(r.Template)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	err = parsed.Execute(&out, r.Data)
	return out.String(), err
}

func fastTemplate(r request) (string, error) {
	if !templated.MatchString(r.Template) {
		return r.Template, nil
	}
	parsed, err := fasttemplate.NewTemplate(r.Template, "{{", "}}")
	if err != nil {
		return "", err
	}
	return parsed.ExecuteFuncString(func(w io.Writer, tag string) (int, error) {
		value, ok := r.Data[strings.TrimSpace(tag)].(string)
		if !ok || strings.TrimSpace(tag) == "" {
			return fmt.Fprintf(w, "{{%s}}", tag)
		}
		return io.WriteString(w, value)
	}), nil
}

func handle(line []byte) (result answer) {
	defer func() {
		if problem := recover(); problem != nil {
			result = answer{Error: fmt.Sprint("panic: ", problem)}
		}
	}()
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		return answer{Error: err.Error()}
	}
	var text string
	err := errors.New("unknown mode")
	switch r.Mode {
	case "go":
		text, err = goTemplate(r)
	case "fast":
		text, err = fastTemplate(r)
	case "match":
		matched := []string{}
		for _, name := range r.Names {
			if ok, err := path.Match(r.Template, name); err == nil && ok {
				matched = append(matched, name)
			}
		}
		return answer{Value: matched}
	case "merge":
		if r.Override {
			err = mergo.Merge(&r.Data, r.Other, mergo.WithOverride)
		} else {
			err = mergo.Merge(&r.Data, r.Other)
		}
		if err == nil {
			return answer{Value: r.Data}
		}
	}
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Text: &text}
}

func main() {
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 64<<20)
	output := json.NewEncoder(os.Stdout)
	for input.Scan() {
		if err := output.Encode(handle(input.Bytes())); err != nil {
			panic(err)
		}
	}
}
