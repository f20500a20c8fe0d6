package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"espalier/pipeline/event"
)

// stopped is the cause of a context that a signal ended.
type stopped struct{ signal syscall.Signal }

func (s stopped) Error() string { return "stopped by " + s.signal.String() }

// Is makes it a [context.Canceled] as well.
func (s stopped) Is(other error) bool { return other == context.Canceled }

// Status is what shells report of a program that a signal ended.
func (s stopped) Status() int { return 128 + int(s.signal) }

// interruptible gives a context that the first Ctrl-C or SIGTERM ends, so that the run can save; the second ends
// the program at once.
func interruptible(show *display) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		var cause stopped
		select {
		case <-ctx.Done():
			return
		case s := <-signals:
			cause.signal, _ = s.(syscall.Signal)
		}
		show.event(event.Note{Text: "stopping as soon as the run is saved; Ctrl-C again stops at once"})
		cancel(cause)
		<-signals
		os.Exit(cause.Status())
	}()
	return ctx, func() { signal.Stop(signals); cancel(nil) }
}
