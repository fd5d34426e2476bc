// What a parked goroutine takes up: the twin of shapes/park.c.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

func field(path, key string, index int) int {
	text, err := os.ReadFile(path)
	if err != nil {
		die("%v", err)
	}
	at := strings.Index(string(text), key)
	value, err := strconv.Atoi(strings.Fields(string(text)[at:])[index])
	if err != nil {
		die("%s: %v", path, err)
	}
	return value
}

func memory() (resident, tables int) {
	return field("/proc/self/statm", "", 1) * os.Getpagesize(),
		field("/proc/self/status", "VmPTE:", 1) * 1024
}

//go:noinline
func grow() byte {
	var much [100 * 1000]byte
	for i := 0; i < len(much); i += 64 {
		much[i] = 1
	}
	return much[len(os.Args)]
}

func main() {
	eachCase(func(name string) {
		grows := strings.HasSuffix(name, "-grown")
		tasks, err := strconv.Atoi(strings.TrimSuffix(name, "-grown"))
		if err != nil {
			die("no such case: %s", name)
		}
		before, tablesBefore := memory()
		begin, parked, done := time.Now(), 0, make(chan bool)
		for i := 0; i < tasks; i++ {
			go func() {
				if grows {
					grow()
				}
				if parked++; parked == tasks {
					done <- true
				}
				time.Sleep(time.Hour)
			}()
		}
		<-done
		took := time.Since(begin)
		after, tablesAfter := memory()
		tell := func(what, unit string, total int) {
			fmt.Printf("%s %s\t%s\t%.3f\n", name, what, unit, float64(total)/float64(tasks))
		}
		tell("resident", "bytes", after-before)
		tell("page tables", "bytes", tablesAfter-tablesBefore)
		tell("to park", "ns", int(took))
	})
}
