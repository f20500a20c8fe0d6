// Command bench measures this program beside PyTorch eager on the same libtorch in one run, with the same weights, data and
// threads. It needs python3 with venv and pip; the first run installs PyTorch in the user's cache folder.
//
// Exit status: 0 every target is met, 1 it failed, 2 wrong flags, 3 a target is missed.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"

	"espalier/bench"
	"espalier/pipeline/report"
)

func main() {
	threads := flag.Int("threads", 1, "threads of both sides")
	rounds := flag.Int("rounds", 5, "rounds, each of both sides in turn")
	peers := flag.String("peers", "bench/peers", "the `folder` of the Python side")
	out := flag.String("json", "", "write the figures to a `file`, too")
	flag.Parse()
	if flag.NArg() > 0 || *threads < 1 || *rounds < 1 {
		fmt.Fprintln(os.Stderr, "bench: threads and rounds are at least 1, and there are no other arguments")
		os.Exit(2)
	}
	rows, err := bench.Run(bench.Options{Threads: *threads, Rounds: *rounds, Peers: *peers,
		Say: func(line string) { fmt.Fprintln(os.Stderr, line) }})
	if err == nil {
		err = draw(os.Stdout, rows)
	}
	if err == nil && *out != "" {
		var text []byte
		if text, err = json.MarshalIndent(rows, "", "  "); err == nil {
			err = report.WriteFile(*out, append(text, '\n'))
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, r := range rows {
		if !r.Met() {
			os.Exit(3)
		}
	}
}
