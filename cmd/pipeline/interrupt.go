package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"espalier/pipeline"
)

// interruptible gives a context that the first Ctrl-C or SIGTERM ends, so that the run can save; the second ends
// the program at once.
func interruptible(show *display) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-ctx.Done():
			return
		case <-signals:
		}
		show.event(pipeline.Note{Text: "stopping as soon as the run is saved; Ctrl-C again stops at once"})
		cancel()
		<-signals
		os.Exit(130)
	}()
	return ctx, func() { signal.Stop(signals); cancel() }
}
