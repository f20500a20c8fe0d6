package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/model/modeltest"
	"espalier/torch/torchtest"
)

func call(ctx context.Context, args ...string) (status int, out, faults string) {
	var o, e bytes.Buffer
	status = command(ctx, args, &o, &e)
	return status, o.String(), e.String()
}

// What is wrong with the command line or a checkpoint is said with the exit status 2; an address that is taken is a failure.
func TestFaults(t *testing.T) {
	torchtest.Setup(t)
	folder, _ := modeltest.Speaking(t, "decoder_opt")
	for want, args := range map[string][]string{
		"name at least one checkpoint":    nil,
		`unexpected argument "more"`:      {"-m", folder, "more"},
		"above 0":                         {"-m", folder, "-batch", "0"},
		"numbers and times must be":       {"-m", folder, "-max-question", "0"},
		"-threads at most 1024":           {"-m", folder, "-threads", "2000"},
		"flag provided but not defined":   {"-zzz"},
		"invalid value":                   {"-timeout", "soon"},
		"config.json":                     {"-m", t.TempDir(), "-listen", "127.0.0.1:0"},
		"is given twice":                  {"-m", folder, "-m", folder + "/.", "-listen", "127.0.0.1:0"},
		"give a page's scheme, host and ": {"-m", folder, "-cors", "example.org", "-listen", "127.0.0.1:0", "-device", "cpu"},
	} {
		status, out, faults := call(t.Context(), args...)
		assert.Equal(t, 2, status, want)
		assert.Contains(t, faults, want)
		assert.Empty(t, out)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	status, _, faults := call(t.Context(), "-m", folder, "-listen", taken.Addr().String())
	assert.Equal(t, 1, status)
	assert.Contains(t, faults, "give another address with -listen")
}

// It says what it serves and where, and ends with status 0 when it is told to stop.
func TestServesUntilItIsStopped(t *testing.T) {
	torchtest.Setup(t)
	folder, _ := modeltest.Speaking(t, "decoder_opt")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	said := make(chan string, 100)
	status := make(chan int, 1)
	go func() {
		status <- command(ctx, []string{"-m", folder, "-device", "cpu", "-threads", "1", "-listen", "127.0.0.1:0"}, lines(said), lines(said))
	}()
	assert.Equal(t, fmt.Sprintf("decoder_opt: %s\n", folder), <-said)
	page, rest, found := strings.Cut(<-said, " ")
	require.True(t, found && page == "page")
	r, err := http.Get(strings.Fields(rest)[0] + "health")
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	assert.Equal(t, http.StatusOK, r.StatusCode)
	stop()
	assert.Zero(t, <-status)
	assert.Empty(t, said)
}

// lines hands on what is written.
type lines chan string

func (l lines) Write(text []byte) (int, error) {
	l <- string(text)
	return len(text), nil
}
