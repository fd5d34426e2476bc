// Many goroutines that sleep at once: the twin of shapes/sleep.c.
package main

import (
	"fmt"
	"strconv"
	"sync"
	"syscall"
	"time"
)

func cpu() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		die("getrusage: %v", err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func nap(index uint64) time.Duration {
	draw := index * 0x9e3779b97f4a7c15 >> 40
	return time.Duration(100000000 + draw*1000000000>>24)
}

func main() {
	eachCase(func(name string) {
		tasks, err := strconv.Atoi(name)
		if err != nil {
			die("no such case: %s", name)
		}
		begin, started, running, woken, asleep := cpu(), int64(0), 0, 0, 0
		var all sync.WaitGroup
		all.Add(tasks)
		for i := 0; i < tasks; i++ {
			go func(index uint64) {
				if running++; running == tasks {
					started, asleep = cpu(), tasks-woken
				}
				time.Sleep(nap(index))
				woken++
				all.Done()
			}(uint64(i))
		}
		all.Wait()
		end := cpu()
		report(fmt.Sprintf("%d in all", tasks), float64(end-begin)/float64(tasks))
		report(fmt.Sprintf("%d once started", tasks), float64(end-started)/float64(asleep))
	})
}
