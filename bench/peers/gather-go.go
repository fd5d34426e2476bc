// Calls at once, each in a goroutine, and their results in order: the twin of gather-coir.c.
package main

import (
	"strconv"
	"sync"
)

//go:noinline
func work(arg int) int {
	return arg
}

func gather(results []int) {
	var group sync.WaitGroup
	group.Add(len(results))
	for i := range results {
		go func(i int) {
			defer group.Done()
			results[i] = work(i)
		}(i)
	}
	group.Wait()
}

func main() {
	eachCase(func(name string) {
		calls, err := strconv.Atoi(name)
		if err != nil || calls <= 0 {
			die("no such case: %s", name)
		}
		results := make([]int, calls)
		report(name, perOp(func(count int) {
			for i := 0; i < count; i++ {
				gather(results)
				if results[calls-1] != calls-1 {
					die("a result is missing")
				}
			}
		})/float64(calls))
	})
}
