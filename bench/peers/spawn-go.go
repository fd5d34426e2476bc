// Goroutines started and waited for: the twin of shapes/spawn.c.
package main

import (
	"strconv"
	"sync"
)

func main() {
	eachCase(func(name string) {
		tasks, err := strconv.Atoi(name)
		if err != nil {
			die("no such case: %s", name)
		}
		ran := 0
		report(name, perOp(func(count int) {
			for ; count > 0; count-- {
				var all sync.WaitGroup
				all.Add(tasks)
				for i := 0; i < tasks; i++ {
					go func() {
						ran++
						all.Done()
					}()
				}
				all.Wait()
			}
		})/float64(tasks))
		if ran < tasks {
			die("goroutines have not run")
		}
	})
}
