// A deadline armed and disarmed, by a context: the twin of deadline-coir.c.
package main

import (
	"context"
	"strconv"
	"time"
)

func withDeadline(at time.Time, count int) {
	for ; count > 0; count-- {
		_, cancel := context.WithDeadline(context.Background(), at)
		cancel()
	}
}

func fromClock(count int) {
	for ; count > 0; count-- {
		_, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		cancel()
	}
}

func without(count int) {
	for ; count > 0; count-- {
		_, cancel := context.WithCancel(context.Background())
		cancel()
	}
}

func main() {
	eachCase(func(name string) {
		op := fromClock
		if name == "none" {
			op = without
		} else if name != "clock" {
			outstanding, err := strconv.Atoi(name)
			if err != nil {
				die("no such case: %s", name)
			}
			for i := 0; i < outstanding; i++ {
				spread := time.Duration(uint32(i)*2654435761%3600000) * time.Millisecond
				timer := time.AfterFunc(600*time.Second+spread, func() {})
				defer timer.Stop()
			}
			at := time.Now().Add(30 * time.Second)
			op = func(count int) { withDeadline(at, count) }
		}
		report(name, perOp(op))
	})
}
