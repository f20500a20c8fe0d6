package serve

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What bench/serve/check.sh gives to TestLoad.
var (
	loadURL     = flag.String("url", "", "of a running server")
	loadModel   = flag.String("model", "", "id of the model to ask")
	loadWant    = flag.String("want", "", "what `model generate -ask` printed for questions whose pictures lie beside this file")
	loadClients = flag.Int("clients", 64, "that ask at once")
	loadFor     = flag.Duration("for", 10*time.Second, "time to ask")
	loadGain    = flag.Float64("gain", 0, "times that all clients together must get the answers of one")
)

// TestLoad asks a running server: every answer is that of `model generate`, and the only other reply is "busy". bench/serve/check.sh
// runs it.
func TestLoad(t *testing.T) {
	if *loadURL == "" {
		t.Skip("NO SERVER: not tested under load; run bench/serve/check.sh")
	}
	texts, want := loadQuestions(t)
	alone := throughput(t, texts, want, 1, *loadFor/4)
	before := resident(t)
	first := throughput(t, texts, want, *loadClients, *loadFor/2)
	middle := resident(t)
	second := throughput(t, texts, want, *loadClients, *loadFor/2)
	after := resident(t)
	t.Logf("%s: one client %.0f answers/s, %d clients %.0f and %.0f; resident MB %.0f, %.0f, %.0f", *loadModel, alone, *loadClients, first, second,
		before/1e6, middle/1e6, after/1e6)
	assert.GreaterOrEqual(t, max(first, second), *loadGain*alone)
	assert.Less(t, after, 1.1*middle+20e6, "memory stays")
}

func loadQuestions(t *testing.T) (texts [][]byte, want []string) {
	data, err := os.ReadFile(*loadWant)
	require.NoError(t, err)
	for line := range strings.Lines(string(data)) {
		var a struct {
			Picture  string `json:"file_name"`
			Question string
			Answer   string
		}
		require.NoError(t, json.Unmarshal([]byte(line), &a))
		picture := ""
		if a.Picture != "" {
			picture = dataURL(t, filepath.Join(filepath.Dir(*loadWant), a.Picture))
		}
		texts, want = append(texts, body(t, *loadModel, a.Question, picture, nil)), append(want, a.Answer)
	}
	require.NotEmpty(t, texts)
	return texts, want
}

// throughput lets clients ask for a while, and gives the answers in a second.
func throughput(t *testing.T, texts [][]byte, want []string, clients int, span time.Duration) float64 {
	var group sync.WaitGroup
	var answers, busy, next atomic.Int64
	var mu sync.Mutex
	faults := map[string]int{}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer client.CloseIdleConnections()
	began := time.Now()
	for range clients {
		group.Go(func() {
			for time.Since(began) < span {
				i := int(next.Add(1)) % len(texts)
				status, said, err := askOnce(client, texts[i])
				switch {
				case err == nil && status == http.StatusOK && said == want[i]:
					answers.Add(1)
				case status == http.StatusTooManyRequests:
					busy.Add(1)
				default:
					mu.Lock()
					faults[fmt.Sprintf("%d %q, want %q: %v", status, said, want[i], err)]++
					mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	assert.Empty(t, faults)
	if busy.Load() > 0 {
		t.Logf("busy: %d", busy.Load())
	}
	return float64(answers.Load()) / time.Since(began).Seconds()
}

func askOnce(client *http.Client, text []byte) (status int, said string, err error) {
	r, err := client.Post(*loadURL+"/v1/chat/completions", "application/json", bytes.NewReader(text))
	if err != nil {
		return 0, "", err
	}
	defer r.Body.Close()
	answer, err := io.ReadAll(r.Body)
	var got reply
	if r.StatusCode != http.StatusOK {
		return r.StatusCode, string(answer), err
	}
	if err = json.Unmarshal(answer, &got); err != nil {
		return r.StatusCode, string(answer), err
	}
	return r.StatusCode, *got.Choices[0].Message.Content, nil
}

// resident is the server's memory, in bytes.
func resident(t *testing.T) float64 {
	_, text := get(t, *loadURL+"/metrics")
	lines := strings.Split(text, "\n")
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "process_resident_memory_bytes ") })
	require.GreaterOrEqual(t, i, 0)
	n, err := strconv.ParseFloat(strings.Fields(lines[i])[1], 64)
	require.NoError(t, err)
	return n
}
