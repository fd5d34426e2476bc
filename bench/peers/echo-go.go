// The echo server in Go, a goroutine a connection, on one processor.
package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
)

func echo(connection net.Conn) {
	defer connection.Close()
	buffer := make([]byte, 2048)
	for {
		size, err := connection.Read(buffer)
		if err != nil {
			return
		}
		if _, err := connection.Write(buffer[:size]); err != nil {
			return
		}
	}
}

func main() {
	runtime.GOMAXPROCS(1)
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		die("listen: %v", err)
	}
	fmt.Println(os.Getpid(), listener.Addr())
	for {
		connection, err := listener.Accept()
		if err != nil {
			die("accept: %v", err)
		}
		go echo(connection)
	}
}
