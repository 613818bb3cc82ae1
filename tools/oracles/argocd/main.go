// The oracle of gitops_layout/agents/applicationset: Argo CD's own generators, templates and patches.
//
// One JSON request a line on standard input, one JSON answer a line on standard output:
//
//	{"applicationSet": {…}, "repository": "/a/git/work/tree", "clusters": [{name, server, labels, annotations}]}
//	→ {"applications": […], "error": "…"}
//
// Files are listed by git itself and folders by a walk, as Argo CD's repository server does.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	log "github.com/sirupsen/logrus"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/argoproj/argo-cd/v3/applicationset/controllers/template"
	"github.com/argoproj/argo-cd/v3/applicationset/generators"
	"github.com/argoproj/argo-cd/v3/applicationset/services"
	"github.com/argoproj/argo-cd/v3/applicationset/utils"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
)

const namespace = "argocd"

type cluster struct {
	Name        string            `json:"name"`
	Server      string            `json:"server"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

type request struct {
	ApplicationSet v1alpha1.ApplicationSet `json:"applicationSet"`
	Repository     string                  `json:"repository"`
	Clusters       []cluster               `json:"clusters"`
}

type answer struct {
	Applications []v1alpha1.Application `json:"applications"`
	Error        string                 `json:"error,omitempty"`
}

// tree answers the repository server's questions about one work tree.
type tree struct {
	services.Repos
	root string
}

func (t tree) GetFiles(ctx context.Context, _, _, _, pattern string, _ bool, _ *v1alpha1.SourceIntegrity) (map[string][]byte, error) {
	if pattern == "" {
		pattern = "."
	}
	command := exec.CommandContext(ctx, "git", "ls-files", "--full-name", "-z", "--", pattern)
	command.Dir = t.root
	listed, err := command.Output()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, path := range strings.Split(strings.TrimSuffix(string(listed), "\000"), "\000") {
		if path == "" {
			continue
		}
		if files[path], err = os.ReadFile(filepath.Join(t.root, path)); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func (t tree) GetDirectories(context.Context, string, string, string, bool, *v1alpha1.SourceIntegrity) ([]string, error) {
	var folders []string
	err := filepath.WalkDir(t.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() || path == t.root {
			return err
		}
		if strings.HasPrefix(entry.Name(), ".") {
			return filepath.SkipDir
		}
		relative, err := filepath.Rel(t.root, path)
		folders = append(folders, relative)
		return err
	})
	return folders, err
}

// known is what the API server would hold: the clusters' Secrets and the projects.
func known(r request) (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	objects := []client.Object{
		&v1alpha1.AppProject{ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: namespace}},
	}
	for index, one := range r.Clusters {
		labels := map[string]string{"argocd.argoproj.io/secret-type": "cluster"}
		for key, value := range one.Labels {
			labels[key] = value
		}
		meta := metav1.ObjectMeta{Name: fmt.Sprint("c", index), Namespace: namespace, Labels: labels, Annotations: one.Annotations}
		data := map[string][]byte{"name": []byte(one.Name), "server": []byte(one.Server)}
		objects = append(objects, &corev1.Secret{ObjectMeta: meta, Data: data})
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(), nil
}

func levels(c client.Client, root string) map[string]generators.Generator {
	all := map[string]generators.Generator{
		"List":     generators.NewListGenerator(),
		"Clusters": generators.NewClusterGenerator(c, namespace),
		"Git":      generators.NewGitGenerator(tree{root: root}, namespace),
	}
	for range 2 {
		next := map[string]generators.Generator{
			"Matrix": generators.NewMatrixGenerator(all),
			"Merge":  generators.NewMergeGenerator(all),
		}
		for _, name := range []string{"List", "Clusters", "Git"} {
			next[name] = all[name]
		}
		all = next
	}
	return all
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
	c, err := known(r)
	if err != nil {
		return answer{Error: err.Error()}
	}
	logger := log.NewEntry(log.StandardLogger())
	made, _, err := template.GenerateApplications(logger, r.ApplicationSet, levels(c, r.Repository), &utils.Render{}, c)
	result.Applications = made
	if err != nil {
		result.Error = err.Error()
	}
	return result
}

func main() {
	log.SetOutput(io.Discard)
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 64<<20)
	output := json.NewEncoder(os.Stdout)
	for input.Scan() {
		if err := output.Encode(handle(input.Bytes())); err != nil {
			panic(err)
		}
	}
}
