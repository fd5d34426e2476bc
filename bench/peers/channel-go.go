// Channels between two goroutines: the twin of channel-coir.c.
package main

import "fmt"

func pingPong(name string, capacity int) {
	there, back := make(chan uint64, capacity), make(chan uint64, capacity)
	go func() {
		for item := range there {
			back <- item
		}
	}()
	report(name, perOp(func(count int) {
		for i := 0; i < count; i++ {
			there <- uint64(i)
			if <-back != uint64(i) {
				die("another item came back")
			}
		}
	})/2)
	close(there)
}

// The sender is left waiting: Go closes a channel from the sending end only.
func stream(name string, capacity int) {
	items := make(chan uint64, capacity)
	go func() {
		for item := uint64(0); ; item++ {
			items <- item
		}
	}()
	expected := uint64(0)
	report(name, perOp(func(count int) {
		for i := 0; i < count; i++ {
			if <-items != expected {
				die("an item is missing")
			}
			expected++
		}
	}))
}

func main() {
	eachCase(func(name string) {
		var capacity int
		if n, _ := fmt.Sscanf(name, "pingpong-%d", &capacity); n == 1 {
			pingPong(name, capacity)
		} else if n, _ := fmt.Sscanf(name, "stream-%d", &capacity); n == 1 {
			stream(name, capacity)
		} else {
			die("no such case: %s", name)
		}
	})
}
