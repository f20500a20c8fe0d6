package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// peer is the other side: it answers a line of JSON for each it gets. bench/peers/peer.py says what it can be asked.
type peer struct {
	to   io.Writer
	from *bufio.Reader
}

// answer is what a request brings; each uses some of the fields.
type answer struct {
	Error   string               `json:"error"`
	Torch   string               `json:"torch"`
	Python  string               `json:"python"`
	Library string               `json:"library"`
	Hugging string               `json:"transformers"` // its version
	Seconds []float64            `json:"seconds"`
	Losses  []float64            `json:"losses"`
	Answers [][]int              `json:"answers"`
	Logits  []float64            `json:"logits"`
	Blocks  map[string][]float64 `json:"blocks"`
}

// request names what to do ("do") and its arguments.
type request map[string]any

func (p *peer) ask(r request) (*answer, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	if _, err := p.to.Write(append(line, '\n')); err != nil {
		return nil, fmt.Errorf("the Python side has gone: %w", err)
	}
	return p.listen()
}

func (p *peer) listen() (*answer, error) {
	line, err := p.from.ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("the Python side ended without an answer: %w", err)
	}
	a := &answer{}
	if err := json.Unmarshal(line, a); err != nil {
		return nil, fmt.Errorf("the Python side said %.80q, which is no answer: %w", line, err)
	}
	if a.Error != "" {
		return nil, fmt.Errorf("the Python side failed: %s", a.Error)
	}
	return a, nil
}

// process is a peer that runs.
type process struct {
	peer
	command *exec.Cmd
	stdin   io.Closer
	stderr  *tail
}

// start runs a peer's program that lies in a folder with its material, and waits until it is ready.
func start(ctx context.Context, python, program, folder, threads, device string) (*process, *answer, error) {
	p := &process{command: exec.CommandContext(ctx, python, filepath.Join(folder, program), folder, threads, device), stderr: &tail{}}
	p.command.Env = append(Environment(os.Getenv), "OMP_NUM_THREADS="+threads, "PYTHONDONTWRITEBYTECODE=1")
	p.command.Stderr = p.stderr
	in, err := p.command.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	out, err := p.command.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	p.peer, p.stdin = peer{to: in, from: bufio.NewReaderSize(out, 1<<20)}, in
	if err := p.command.Start(); err != nil {
		return nil, nil, err
	}
	ready, err := p.listen()
	if err != nil {
		p.stop()
		return nil, nil, fmt.Errorf("%w%s", err, p.stderr)
	}
	return p, ready, nil
}

// Environment is that of this process with OpenMP's habits as csrc/env.c sets them for this side, after Go has read it.
func Environment(get func(string) string) []string {
	if get("OMP_WAIT_POLICY") != "" || get("GOMP_SPINCOUNT") != "" {
		return os.Environ()
	}
	return append(os.Environ(), "OMP_WAIT_POLICY=passive", "GOMP_SPINCOUNT=4000")
}

// stop ends the process, whose input ends.
func (p *process) stop() error {
	return errors.Join(p.stdin.Close(), p.command.Wait())
}

// tail keeps the last that was written to it.
type tail struct{ text []byte }

func (t *tail) Write(b []byte) (int, error) {
	const most = 2000
	t.text = append(t.text, b...)
	t.text = t.text[max(0, len(t.text)-most):]
	return len(b), nil
}

func (t *tail) String() string {
	if s := strings.TrimSpace(string(t.text)); s != "" {
		return "; it wrote:\n" + s
	}
	return ""
}
