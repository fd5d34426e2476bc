// Goroutines that do nothing but yield, on one processor: the twin of shapes/yield.c.
package main

import (
	"runtime"
	"strconv"
	"strings"
	"sync"
)

func main() {
	eachCase(func(name string) {
		if strings.HasSuffix(name, "-mixed") {
			cannot("Gosched has one way back, whoever calls it")
		}
		tasks, err := strconv.Atoi(name)
		if err != nil {
			die("no such case: %s", name)
		}
		var all sync.WaitGroup
		over, turns := false, 1 // with one processor there is nothing to race with
		for i := 1; i < tasks; i++ {
			all.Add(1)
			go func() {
				for !over {
					for n := turns; n > 0; n-- {
						runtime.Gosched()
					}
				}
				all.Done()
			}()
		}
		ns := perOp(func(count int) {
			turns = count
			for ; count > 0; count-- {
				runtime.Gosched()
			}
		})
		over = true
		all.Wait()
		report(name, ns/float64(tasks))
	})
}
