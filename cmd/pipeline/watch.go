package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"espalier/cmd/shell"
	"espalier/pipeline/event"
	"espalier/pipeline/journal"
	"espalier/pipeline/report"
)

// watch follows a run from another terminal until it ends. The exit status is the run's own.
func watch(args []string, stdout *os.File, stderr io.Writer) int {
	flags := shell.Flags("pipeline watch", stderr, "usage: pipeline watch RUN\n\nfollows the run that works, or has worked, in the folder RUN, and shows what it shows; it ends when the run does, with its exit status")
	if status, ended := shell.Parse(flags, args); ended {
		return status
	}
	if flags.NArg() != 1 {
		flags.Usage()
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	show := newDisplay(stdout)
	w := watcher{folder: flags.Arg(0), show: show, pause: func() { wait(ctx, poll) }, running: journal.Running}
	end, err := w.follow(ctx)
	show.close()
	switch {
	case errors.Is(err, context.Canceled): // the run goes on
		return 130
	case errors.Is(err, fs.ErrNotExist):
		fmt.Fprintf(stderr, "pipeline watch: %s has no %s: no run has begun there; name the folder that a run's output key names\n", w.folder, journal.EventsName)
		return 2
	case err != nil:
		fmt.Fprintln(stderr, err)
		return 1
	}
	if end.Report != "" {
		r, err := report.Read(filepath.Join(w.folder, end.Report))
		if err == nil {
			fmt.Fprintln(stdout)
			err = drawReport(stdout, r, tableWidth(stdout), show.bold)
		}
		if err != nil {
			fmt.Fprintln(stderr, err)
		}
	}
	if end.Error != "" {
		fmt.Fprintln(stderr, end.Error)
	}
	if end.Status == 0 { // also in lines of earlier versions, which say the result alone
		return end.Result.Status()
	}
	return end.Status
}

// poll is how often a watcher looks for something new, and patient after how many looks it asks whether the run still lives.
const (
	poll    = 250 * time.Millisecond
	patient = 20
)

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// watcher shows the events of a run's folder.
type watcher struct {
	folder  string
	show    *display
	pause   func()
	running func(folder string) bool
}

// follow shows what the run's last start has told, and what it tells, until it ends.
func (w watcher) follow(ctx context.Context) (event.End, error) {
	r := journal.NewReader(w.folder)
	w.show.past = true
	for look, idle := 0, 0; ctx.Err() == nil; look++ {
		told, end, err := w.tell(r)
		if err != nil || end != nil {
			return value(end), err
		}
		if look == 0 {
			w.show.live()
		}
		if idle++; told {
			idle = 0
		}
		if (look == 0 || idle >= patient) && !w.running(w.folder) {
			told, end, err := w.tell(r) // it may have written its last lines in between
			switch {
			case err != nil || end != nil:
				return value(end), err
			case !told:
				return event.End{}, fmt.Errorf("the run in %s is gone without a last word: it was killed, or its machine went down; the command that began it goes on from there", w.folder)
			}
			idle = 0
		}
		w.pause()
	}
	return event.End{}, ctx.Err()
}

// tell shows what is new. end is the run's last event, once there is one.
func (w watcher) tell(r *journal.Reader) (told bool, end *event.End, err error) {
	all, err := r.Next()
	for _, t := range all {
		w.show.at(t.At)
		if e, ended := t.Event.(event.End); ended && e.Result != event.Again {
			return true, &e, nil
		}
		w.show.event(t.Event)
	}
	return len(all) > 0, nil, err
}

func value(end *event.End) event.End {
	if end == nil {
		return event.End{}
	}
	return *end
}
