// A select over four channels: the twin of select-coir.c.
package main

import "os"

type channels [4]chan uint64

func makeChannels() (all channels) {
	for i := range all {
		all[i] = make(chan uint64)
	}
	return all
}

func sendInTurn(all channels) {
	for item := uint64(0); ; item++ {
		for _, channel := range all {
			channel <- item
		}
	}
}

func sendToOne(channel chan<- uint64) {
	for item := uint64(0); ; item++ {
		channel <- item
	}
}

func receive(all channels, items *[4]uint64, count int) {
	for i := 0; i < count; i++ {
		var which int
		var item uint64
		select {
		case item = <-all[0]:
			which = 0
		case item = <-all[1]:
			which = 1
		case item = <-all[2]:
			which = 2
		case item = <-all[3]:
			which = 3
		}
		if item != items[which] {
			die("an item is missing")
		}
		items[which]++
	}
}

func measure(name string) {
	all := makeChannels()
	switch name {
	case "4":
		go sendInTurn(all)
	case "4-senders":
		for _, channel := range all {
			go sendToOne(channel)
		}
	default:
		os.Stderr.WriteString("this one is written for 4 channels\n")
		os.Exit(77)
	}
	var items [4]uint64
	report(name, perOp(func(count int) { receive(all, &items, count) }))
}

func main() {
	eachCase(measure)
}
