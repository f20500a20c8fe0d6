// Package serve lets people and programs ask checkpoints: a page, and OpenAI's interface. Questions that wait for a network are
// answered together.
package serve

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"espalier/model/speaker"
	"espalier/torch"
)

// Options say what is served, and how.
type Options struct {
	Folders []string // of checkpoints
	Device  torch.Device

	Together int // questions in a batch, at most
	Waiting  int // questions that may wait for a network; more are refused

	Timeout time.Duration // of a request, from its arrival to its answer
	Slow    time.Duration // that a client may take to send a request, and to read an answer
	Grace   time.Duration // for what runs, when the server stops

	MostPixels   int // of a picture
	MostQuestion int // tokens of a question
	MostTokens   int // of an answer

	Fetch    bool     // fetch pictures that are named by their address
	Origins  []string // of pages elsewhere that may ask; "*" is all
	Token    string   // that clients must have; "" is none
	Loopback bool     // only this machine asks

	Log func(string) // what went wrong on the server's side; may be nil
}

// Usual are the options that a server has which is told nothing.
func Usual() Options {
	return Options{
		Together: 16, Waiting: 256, Timeout: time.Minute, Slow: 30 * time.Second, Grace: 30 * time.Second, MostPixels: 50_000_000,
		MostQuestion: 4096, MostTokens: 4096, Loopback: true,
	}
}

func (o Options) log(format string, args ...any) {
	if o.Log != nil {
		o.Log(fmt.Sprintf(format, args...))
	}
}

// Server serves checkpoints.
type Server struct {
	o       Options
	models  []*served
	batcher *batcher
	chat    *chat
	handler http.Handler
}

// Open loads the checkpoints. The caller closes the server.
func Open(o Options) (_ *Server, err error) {
	names, err := names(o.Folders)
	if err != nil {
		return nil, err
	}
	s := &Server{o: o}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	var queues []*queue
	for i, folder := range o.Folders {
		network, err := speaker.Load(folder, "", o.Device)
		if err != nil {
			return nil, err
		}
		m := &served{Speaker: network, id: names[i], folder: folder, queue: &queue{network: network, room: network.Model.Room()}}
		s.models, queues = append(s.models, m), append(queues, m.queue)
	}
	s.batcher = newBatcher(o.Together, o.Waiting, queues)
	s.handler, err = newGuard(o, s.routes())
	return s, err
}

// Close ends the computations, when what waits has been answered, and frees the networks.
func (s *Server) Close() {
	if s.batcher != nil {
		s.batcher.close()
	}
	for _, m := range s.models {
		m.Free()
	}
}

// Handler answers all requests.
func (s *Server) Handler() http.Handler { return s.handler }

// Models are the served networks, a line each.
func (s *Server) Models() (lines []string) {
	for _, m := range s.models {
		lines = append(lines, fmt.Sprintf("%s: %s", m.id, m.folder))
		lines = append(lines, m.Model.Notes()...)
	}
	return lines
}

// Serve answers requests until the context ends. Then it takes no more, and finishes those that it has.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: min(s.o.Slow, 10*time.Second), ReadTimeout: s.o.Slow, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: log.New(lines(func(text string) { s.o.log("%s", text) }), "", 0),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), s.o.Grace)
	defer cancel()
	err := server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.Join(fmt.Errorf("after %v requests were still open, and were cut off", s.o.Grace), server.Close())
	}
	return err
}

// lines hands on what a logger writes.
type lines func(string)

func (f lines) Write(text []byte) (int, error) {
	f(strings.TrimRight(string(text), "\n"))
	return len(text), nil
}

// routes say who answers what.
func (s *Server) routes() http.Handler {
	m := newMetrics(s.models, s.batcher)
	mux := http.NewServeMux()
	get := func(path string, h http.HandlerFunc) { mux.Handle(path, only(h, http.MethodGet, http.MethodHead)) }
	s.chat = &chat{
		o: s.o, models: s.models, batcher: s.batcher, metrics: m, viewer: newViewer(s.o.MostPixels, s.o.Fetch), bodies: semaphore.NewWeighted(bodiesTogether),
	}
	mux.Handle("/v1/chat/completions", only(s.chat, http.MethodPost))
	get("/v1/models", s.listModels)
	get("/v1/models/{id...}", s.showModel)
	get("/health", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	})
	get("/version", showVersion)
	get("/metrics", m.handler().ServeHTTP)
	page(get)
	newSamples(s.o, s.models).routes(get)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(http.StatusNotFound, "not_found", "there is no %s here; there are /v1/models, /v1/chat/completions, /health, /version, /metrics, and the page at /", short([]byte(r.URL.Path))).write(w)
	})
	return mux
}

// only refuses other methods.
func only(h http.Handler, methods ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, m := range methods {
			if r.Method == m {
				h.ServeHTTP(w, r)
				return
			}
		}
		w.Header().Set("Allow", strings.Join(methods, ", "))
		refuse(http.StatusMethodNotAllowed, "method_not_allowed", "%s is not for %s; use %s", r.Method, r.URL.Path, methods[0]).write(w)
	})
}
