// Builds every overlay of a generated monorepo with kustomize's own library, in some workers of one
// process, and prints how many it built and the seconds that took: the anchor that we measure against.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func build(folder string) error {
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsNone
	objects, err := krusty.MakeKustomizer(options).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return err
	}
	_, err = objects.AsYaml()
	return err
}

func main() {
	folders, _ := filepath.Glob(os.Args[1] + "/apps/*/overlays/*")
	workers, _ := strconv.Atoi(os.Args[2])
	jobs := make(chan string)
	var group sync.WaitGroup
	var built int64
	start := time.Now()
	for range workers {
		group.Add(1)
		go func() {
			defer group.Done()
			for folder := range jobs {
				if err := build(folder); err != nil {
					fmt.Fprintln(os.Stderr, folder, err)
					continue
				}
				atomic.AddInt64(&built, 1)
			}
		}()
	}
	for _, folder := range folders {
		jobs <- folder
	}
	close(jobs)
	group.Wait()
	fmt.Println(built, time.Since(start).Seconds())
}
