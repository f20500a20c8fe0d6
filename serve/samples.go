package serve

import (
	"bytes"
	"errors"
	"fmt"
	stdimage "image"
	"image/color"
	"image/png"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"espalier/pipeline"
	"espalier/pipeline/report"
)

const (
	samplesPath = "/samples"
	mostSamples = 12 // pictures
)

// samples are pictures of the test split of the run that the checkpoints are from, with their questions, for people to begin with. They
// are read when the page first asks.
type samples struct {
	o       Options
	folders []string // of runs, perhaps
	read    func() sampled
}

// sampled are the samples, or the reason why there are none.
type sampled struct {
	Samples []sample `json:"samples"`
	Note    string   `json:"note,omitempty"`
}

type sample struct {
	Picture   string           `json:"picture"` // where it is
	Questions []sampleQuestion `json:"questions"`
	png       []byte
}

type sampleQuestion struct {
	Question string   `json:"question"`
	Answers  []string `json:"answers"` // that the data accept
}

func newSamples(o Options, models []*served) *samples {
	s := &samples{o: o}
	for _, m := range models {
		s.folders = append(s.folders, runsOf(m.folder)...)
	}
	s.read = sync.OnceValue(s.find)
	return s
}

// runsOf are the folders that may be of the run that a checkpoint is from: x of x/student, and of x/students/small.
func runsOf(checkpoint string) []string {
	if full, err := filepath.Abs(checkpoint); err == nil { // the name alone, as ".", may say nothing of the folders above
		checkpoint = full
	}
	above := filepath.Dir(checkpoint)
	if filepath.Base(above) == "students" {
		return []string{above, filepath.Dir(above)}
	}
	return []string{above}
}

func (s *samples) routes(get func(string, http.HandlerFunc)) {
	get(samplesPath, func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.read()) })
	get(samplesPath+"/{number}", func(w http.ResponseWriter, r *http.Request) {
		all := s.read().Samples
		n, err := strconv.Atoi(r.PathValue("number"))
		if err != nil || n < 0 || n >= len(all) {
			refuse(http.StatusNotFound, "not_found", "there are %d samples, from 0 on", len(all)).write(w)
			return
		}
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(all[n].png)
	})
}

// find takes the samples of the first run that has some.
func (s *samples) find() sampled {
	out := sampled{Samples: []sample{}}
	for _, folder := range s.folders {
		found, err := samplesOf(folder)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // the checkpoint is not a run's
		case err != nil:
			out.Note = fmt.Sprintf("no samples of %s: %v", folder, err)
			s.o.log("%s", out.Note)
		case len(found) > 0:
			return sampled{Samples: found}
		}
	}
	return out
}

func samplesOf(folder string) ([]sample, error) {
	file := filepath.Join(folder, "report.json")
	if _, err := os.Stat(file); err != nil {
		return nil, err
	}
	said, err := report.Read(file)
	if err != nil {
		return nil, err
	}
	set, err := pipeline.OpenAgain(folder, said.Config, mostSamples)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the data that the run was made with cannot be opened: %v", err)
	case !set.HasPictures():
		return nil, nil
	}
	var out []sample
	for i := range set.Test.Len() {
		p := sample{Picture: fmt.Sprintf("%s/%d", samplesPath, i)}
		pixels := make([]byte, 3*set.Size*set.Size)
		if err := set.Test.Pixels(i, pixels); err != nil {
			return nil, err
		}
		if p.png, err = pngOf(pixels, set.Size); err != nil {
			return nil, err
		}
		for _, q := range set.Test.Questions(i) {
			p.Questions = append(p.Questions, sampleQuestion{q.Text, append([]string{}, q.Answers...)})
		}
		out = append(out, p)
	}
	return out, nil
}

// pngOf makes a file of planar RGB [3, size, size].
func pngOf(pixels []byte, size int) ([]byte, error) {
	picture := stdimage.NewRGBA(stdimage.Rect(0, 0, size, size))
	plane := size * size
	for i := range plane {
		picture.SetRGBA(i%size, i/size, color.RGBA{pixels[i], pixels[plane+i], pixels[2*plane+i], 255})
	}
	var file bytes.Buffer
	err := png.Encode(&file, picture)
	return file.Bytes(), err
}
