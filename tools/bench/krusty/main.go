// Builds the folders on its standard input, one a line, with kustomize's own library, in some workers of
// one process, and prints how many it built and the seconds that took: the anchor that we measure against.
package main

import (
	"bufio"
	"fmt"
	"os"
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
	workers, _ := strconv.Atoi(os.Args[1])
	var folders []string
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		folders = append(folders, lines.Text())
	}
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
