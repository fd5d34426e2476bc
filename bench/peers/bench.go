// What the peers in Go share: the twin of lib/bench.h. One processor, one core, the same warm-up
// and the same length of a run, the same line a figure.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"syscall"
	"time"
	"unsafe"
)

const (
	runTime = 20 * time.Millisecond // shortest run that counts
	pieces  = 32                    // that it is cut into
)

func die(format string, args ...interface{}) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}

// cannot ends a program that has no such case.
func cannot(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(77)
}

// pin puts the process on the core that BENCH_CPU names. Go's runtime has started threads before
// main, and counted the cores; so it begins anew, where all that is inherited.
func pin() {
	runtime.GOMAXPROCS(1)
	text := os.Getenv("BENCH_CPU")
	if text == "" {
		return
	}
	cpu, err := strconv.Atoi(text)
	if err != nil || cpu < 0 || cpu >= 1024 {
		die("BENCH_CPU: %s", text)
	}
	var set [1024 / 64]uint64
	set[cpu/64] = 1 << (cpu % 64)
	runtime.LockOSThread()
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(set),
		uintptr(unsafe.Pointer(&set)))
	if errno != 0 {
		fmt.Fprintln(os.Stderr, "BENCH_CPU:", errno) // still worth having, only noisier
	}
	os.Unsetenv("BENCH_CPU")
	die("exec: %v", syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
}

func timed(op func(count int), count int) time.Duration {
	start := time.Now()
	op(count)
	return time.Since(start)
}

// measured is the median of what an operation takes in each of some pieces of the run.
func measured(op func(count int), count int) float64 {
	number := pieces
	if count < number {
		number = count
	}
	each := count / number
	took := make([]float64, number)
	for i := range took {
		took[i] = float64(timed(op, each)) / float64(each)
	}
	sort.Float64s(took)
	return (took[(number-1)/2] + took[number/2]) / 2
}

// perOp is bench_ns: nanoseconds one operation takes.
func perOp(op func(count int)) float64 {
	count := 1
	took := timed(op, count)
	for took < runTime {
		wanted := int(int64(count)*int64(runTime+runTime/4)/(int64(took)+1)) + 1
		if wanted > count*8 {
			wanted = count * 8
		}
		count = wanted
		took = timed(op, count)
	}
	return measured(op, count)
}

func report(name string, value float64) {
	fmt.Printf("%s\tns\t%.3f\n", name, value)
}

// eachCase calls measure with every argument of the program.
func eachCase(measure func(name string)) {
	pin()
	for _, name := range os.Args[1:] {
		measure(name)
	}
}
