// Goroutines asleep that are cancelled by their context: the twin of cancel-coir.c.
package main

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"time"
)

func main() {
	eachCase(func(name string) {
		tasks, err := strconv.Atoi(name)
		if err != nil {
			die("no such case: %s", name)
		}
		scope, cancel := context.WithCancel(context.Background())
		asleep, cut := 0, 0 // with one processor there is nothing to race with
		var all sync.WaitGroup
		all.Add(tasks)
		for i := 0; i < tasks; i++ {
			go func() {
				defer all.Done()
				nap := time.NewTimer(time.Hour)
				defer nap.Stop()
				asleep++
				select {
				case <-nap.C:
				case <-scope.Done():
					cut++
				}
			}()
		}
		for asleep < tasks {
			runtime.Gosched()
		}
		began := time.Now()
		cancel()
		cancelled := time.Now()
		all.Wait()
		joined := time.Now()
		if cut != tasks {
			die("not every goroutine was cut out of its sleep")
		}
		report(fmt.Sprintf("%d cut", tasks), float64(cancelled.Sub(began))/float64(tasks))
		report(fmt.Sprintf("%d join", tasks), float64(joined.Sub(cancelled))/float64(tasks))
		report(fmt.Sprintf("%d both", tasks), float64(joined.Sub(began))/float64(tasks))
	})
}
