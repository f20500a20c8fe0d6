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

// interruptible gives a context that the first Ctrl-C, SIGTERM or closed terminal ends, so that the run can save; a second Ctrl-C or SIGTERM ends
// the program at once. Until stop is called, writing to a pipe that nobody reads is an error like others, and does not end the program.
func interruptible(show *display) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals, pipes := make(chan os.Signal, 2), make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as nohup asks for
		signal.Notify(signals, syscall.SIGHUP)
	}
	signal.Notify(pipes, syscall.SIGPIPE) // nobody asks for them; ignored, they would be so in other programs that this one starts, too
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
		for s := range signals {
			if s != syscall.SIGHUP { // a terminal that is closed may send several: its own and its shell's
				os.Exit(cause.Status())
			}
		}
	}()
	return ctx, func() { signal.Stop(signals); signal.Stop(pipes); cancel(nil) }
}
