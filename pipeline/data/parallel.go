package data

import (
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"espalier/pipeline/fault"
)

// parallel calls f(0) … f(n-1) on all cores and returns when all have returned. A panic in one is a panic here.
func parallel(n int, f func(i int)) {
	var next atomic.Int64
	var workers errgroup.Group
	for range min(n, runtime.GOMAXPROCS(0)) {
		workers.Go(func() (err error) {
			defer fault.Caught(&err)
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
			return nil
		})
	}
	if err := workers.Wait(); err != nil {
		panic(err)
	}
}
