// A web server for the files of one folder, by net/http, on one processor.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
)

func main() {
	runtime.GOMAXPROCS(1)
	if len(os.Args) != 2 {
		die("usage: http-go FOLDER")
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		die("listen: %v", err)
	}
	fmt.Println(os.Getpid(), listener.Addr())
	die("serve: %v", http.Serve(listener, http.FileServer(http.Dir(os.Args[1]))))
}
