package serve

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"

	"espalier/model"
	"espalier/model/image"
)

// viewer turns what a request says of a picture into what a network sees.
type viewer struct {
	mostPixels int
	fetch      *http.Client  // for pictures that are named by their address; nil allows none
	room       chan struct{} // bounds the pictures that are in memory whole
}

func newViewer(mostPixels int, fetch bool) *viewer {
	v := &viewer{mostPixels: mostPixels, room: make(chan struct{}, runtime.GOMAXPROCS(0))}
	if fetch {
		v.fetch = &http.Client{CheckRedirect: func(_ *http.Request, via []*http.Request) error {
			if len(via) > 3 {
				return errors.New("it leads from one address to the next, more than three times")
			}
			return nil
		}}
	}
	return v
}

// pixels reads a picture, bytes [3, size, size].
func (v *viewer) pixels(ctx context.Context, url string, sight model.Preprocessor) ([]byte, error) {
	data, err := v.file(ctx, url)
	if err != nil {
		return nil, err
	}
	count, err := image.Pixels(data)
	if err != nil {
		return nil, err
	}
	if count > v.mostPixels {
		return nil, fmt.Errorf("it has %d pixels, more than the %d of this server; make it smaller", count, v.mostPixels)
	}
	select {
	case v.room <- struct{}{}:
		defer func() { <-v.room }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	rgb, err := image.Decode(data)
	if err != nil {
		return nil, err
	}
	return sight.Picture(rgb)
}

// file is the picture's file: within the URL, or fetched.
func (v *viewer) file(ctx context.Context, url string) ([]byte, error) {
	switch rest, isData := strings.CutPrefix(url, "data:"); {
	case isData:
		return dataOf(rest)
	case !strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "https://"):
		return nil, fmt.Errorf("%q is no data URL; give data:image/png;base64,…", short([]byte(url)))
	case v.fetch == nil:
		return nil, errors.New("this server fetches no pictures (it was started without -fetch); send the picture itself, as data:image/png;base64,…")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("the address is none: %w", err)
	}
	answer, err := v.fetch.Do(r)
	if err != nil {
		return nil, fmt.Errorf("the picture cannot be fetched: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the picture cannot be fetched: its server says %q", answer.Status)
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, MostBody+1))
	if err == nil && len(data) > MostBody {
		err = fmt.Errorf("it has more than %d bytes; make it smaller", MostBody)
	}
	return data, err
}

// dataOf decodes what stands behind "data:".
func dataOf(url string) ([]byte, error) {
	kind, text, found := strings.Cut(url, ",")
	if !found || !strings.HasSuffix(kind, ";base64") {
		return nil, fmt.Errorf("a data URL begins with data:image/png;base64, and not with %q", short([]byte("data:"+kind)))
	}
	encoding := base64.StdEncoding
	if !strings.HasSuffix(text, "=") && len(strings.TrimSpace(text))%4 != 0 {
		encoding = base64.RawStdEncoding
	}
	data, err := encoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("the data URL is no base64: %w", err)
	}
	return data, nil
}
