package runtest

import (
	"flag"
	"testing"
)

var every = flag.Bool("every", false, "each case of the tests that take a sample: 100 kills, each kind of operation on the disk, each file, key and dtype; half an hour")

// Every says whether tests are to be complete.
func Every() bool { return *every }

// Sample is n where a test takes every n-th of its cases; more with -short, and each of them with -every.
func Sample(n int) int {
	switch {
	case *every:
		return 1
	case testing.Short():
		return 3 * n
	}
	return n
}
