// A guarded section: the twin of mutex-coir.c. A semaphore is a channel with as many places as
// there are permits, as is the custom in Go.
package main

import (
	"runtime"
	"sync"
)

var (
	mutex     sync.Mutex
	semaphore = make(chan struct{}, 1)
	sections  int // entered so far; what is guarded
)

func mutexAlone(count int) {
	for i := 0; i < count; i++ {
		mutex.Lock()
		sections++
		mutex.Unlock()
	}
}

func mutexHanded() {
	mutex.Lock()
	sections++
	runtime.Gosched()
	mutex.Unlock()
}

func semaphoreAlone(count int) {
	for i := 0; i < count; i++ {
		semaphore <- struct{}{}
		sections++
		<-semaphore
	}
}

func semaphoreHanded() {
	semaphore <- struct{}{}
	sections++
	runtime.Gosched()
	<-semaphore
}

// handed runs the section in two goroutines and counts those of both.
func handed(section func()) float64 {
	over := false // with one processor there is nothing to race with
	go func() {
		for !over {
			section()
		}
	}()
	ns := perOp(func(count int) {
		for enough := sections + count; sections < enough; {
			section()
		}
	})
	over = true
	return ns
}

func main() {
	eachCase(func(name string) {
		switch name {
		case "mutex":
			report(name, perOp(mutexAlone))
		case "mutex-handed":
			report(name, handed(mutexHanded))
		case "semaphore":
			report(name, perOp(semaphoreAlone))
		case "semaphore-handed":
			report(name, handed(semaphoreHanded))
		default:
			die("no such case: %s", name)
		}
	})
}
